import { useQuery } from "@tanstack/react-query";
import { notificationsRead } from "../answers.ts";
import { Button } from "../ui/button.tsx";
import { Dialog } from "../ui/dialog.tsx";
import { Time } from "../ui/format.tsx";
import { Empty, Loaded } from "../ui/states.tsx";
import { useAct, useSession } from "../use-session.ts";

export function NotificationDrawer({ onClose }: { onClose(): void }) {
  const session = useSession();
  const { api, queries } = session;
  const query = useQuery(queries.notifications);
  const readOne = useAct(
    (id: string) => api.readNotification(id),
    (now, id) => notificationsRead(session, [id], now),
  );
  const readAll = useAct(
    () => api.readAllNotifications(),
    (now) => notificationsRead(session, null, now),
  );
  return (
    <Dialog kind="drawer" title="Notifications" onClose={onClose}>
      <Loaded query={query}>
        {({ unread, rows }) => (
          <>
            <div className="drawer-bar">
              <span>{unread ? `${unread} unread` : "All read"}</span>
              <Button
                className="small"
                icon="check"
                disabled={!unread}
                busy={readAll.isPending}
                onClick={() => readAll.mutate(undefined)}
              >
                Mark all as read
              </Button>
            </div>
            {rows.length ? (
              <ul className="note-list">
                {rows.map(({ id, title, body, read, createdAt }) => (
                  <li key={id} className={read ? "read" : "unread"} data-testid="notification-row" data-id={id}>
                    <p>
                      <strong>{title}</strong>
                      <span>{body}</span>
                      <Time at={createdAt} />
                    </p>
                    {!read && (
                      <Button className="small" kind="quiet" onClick={() => readOne.mutate(id)}>
                        Mark as read
                      </Button>
                    )}
                  </li>
                ))}
              </ul>
            ) : (
              <Empty icon="bell" title="No notifications">
                <p>When an order goes through, or does not, it is said here.</p>
              </Empty>
            )}
          </>
        )}
      </Loaded>
    </Dialog>
  );
}
