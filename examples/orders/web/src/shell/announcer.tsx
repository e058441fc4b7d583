import { useQueryClient } from "@tanstack/react-query";
import { useEvent } from "../hub.ts";
import { useToasts } from "../ui/toasts.tsx";
import { useSession } from "../use-session.ts";

/** Says in a message what has happened just now. What is replayed after a reconnect is in the lists, and no news. */
export function Announcer() {
  const { show } = useToasts();
  const { queries } = useSession();
  const cache = useQueryClient();

  const number = (orderId: string) => {
    const order = cache.getQueryData(queries.submitted.queryKey)?.find((row) => row.orderId === orderId);
    return order?.orderNumber ? `Order ${order.orderNumber}` : "The order";
  };

  useEvent("NOTIFICATION_NEW", ({ notification }, { replayed }) => {
    if (!replayed) show("news", notification.title, notification.body);
  });
  useEvent("ORDER_NUMBERS_RESOLVED", ({ orderNumber, customerName }, { replayed }) => {
    if (!replayed) show("good", `Order number ${orderNumber}`, `The ERP has numbered the order of ${customerName}.`);
  });
  useEvent("ORDER_EDIT_COMPLETE", ({ orderId }, { replayed }) => {
    if (!replayed) show("good", `${number(orderId)} was edited`, "The ERP has the new note.");
  });
  useEvent("ORDER_DELETE_COMPLETE", ({ orderId }, { replayed }) => {
    if (!replayed) show("good", `${number(orderId)} was deleted`, "It is gone from the ERP.");
  });
  useEvent("FRESIS_HISTORY_BULK_IMPORTED", ({ count }, { replayed }) => {
    if (!replayed) show("good", `${count.toLocaleString("en-GB")} records were imported`);
  });
  useEvent("CUSTOMER_UPDATE_COMPLETED", ({ customer }, { replayed }) => {
    if (!replayed) show("good", `${customer.name} was updated`, "The ERP has the new data.");
  });
  useEvent("CUSTOMER_UPDATE_FAILED", ({ error }, { replayed }) => {
    if (!replayed) show("bad", "A customer was not updated", error);
  });
  useEvent("JOB_FAILED", ({ type, error }, { replayed }) => {
    // The others have an event of their own that says so.
    if (!replayed && failing[type]) show("bad", failing[type], error);
  });
  useEvent("JOB_RETRYING", ({ attempt, maxAttempts, error }, { replayed }) => {
    if (!replayed) show("news", `Attempt ${attempt} of ${maxAttempts} follows`, error);
  });
  return null;
}

const failing: Record<string, string> = {
  editOrder: "An order was not edited",
  deleteOrder: "An order was not deleted",
  sendToVerona: "An order was not sent to Verona",
  editHistory: "A record was not edited",
  deleteHistory: "A record was not deleted",
};
