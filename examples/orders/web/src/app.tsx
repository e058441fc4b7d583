import { QueryClientProvider } from "@tanstack/react-query";
import { useSyncExternalStore } from "react";
import { HubProvider } from "./hub.ts";
import { Login } from "./pages/login.tsx";
import { readStage, watchStage } from "./session.ts";
import { Shell } from "./shell/shell.tsx";
import { Problem } from "./ui/states.tsx";
import { ToastProvider } from "./ui/toasts.tsx";
import { SessionContext } from "./use-session.ts";

export function App() {
  const stage = useSyncExternalStore(watchStage, readStage);
  switch (stage.at) {
    case "start":
      return (
        <main className="starting" aria-busy={!stage.error}>
          {stage.error ? <Problem error={stage.error} /> : <p className="quiet-text">Opening the order book…</p>}
        </main>
      );
    case "out":
      return <Login note={stage.note} />;
    case "in": {
      const { session } = stage;
      return (
        <SessionContext.Provider value={session} key={session.user}>
          <QueryClientProvider client={session.cache}>
            <HubProvider client={session.client}>
              <ToastProvider>
                <Shell />
              </ToastProvider>
            </HubProvider>
          </QueryClientProvider>
        </SessionContext.Provider>
      );
    }
  }
}
