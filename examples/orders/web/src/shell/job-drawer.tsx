import { useQuery } from "@tanstack/react-query";
import { accepted } from "../answers.ts";
import { useProgress } from "../hub.ts";
import { isActive, type Job, jobTitle } from "../jobs.ts";
import { Bar } from "../ui/bar.tsx";
import { Button } from "../ui/button.tsx";
import { Dialog } from "../ui/dialog.tsx";
import { Time } from "../ui/format.tsx";
import { Empty, Loaded } from "../ui/states.tsx";
import { useAct, useSession } from "../use-session.ts";

/** All jobs, the newest first: how far they are, and what can be done about them. */
export function JobDrawer({ onClose }: { onClose(): void }) {
  const { queries } = useSession();
  const query = useQuery(queries.jobs);
  return (
    <Dialog kind="drawer" title="Jobs" onClose={onClose}>
      <Loaded query={query}>
        {(jobs) =>
          jobs.length ? (
            <ul className="job-list">
              {jobs.map((job) => (
                <li
                  key={job.id}
                  className={`job ${job.status}`}
                  data-testid="job-row"
                  data-id={job.id}
                  data-status={job.status}
                >
                  {isActive(job) ? <ActiveJob job={job} /> : <EndedJob job={job} jobs={jobs} />}
                </li>
              ))}
            </ul>
          ) : (
            <Empty icon="jobs" title="No jobs yet">
              <p>What the ERP is asked to do appears here: submit an order, or start a sync.</p>
            </Empty>
          )
        }
      </Loaded>
    </Dialog>
  );
}

function JobHead({ job, word }: { job: Job; word: string }) {
  return (
    <div className="job-head">
      <strong>{jobTitle(job.type)}</strong>
      <span className={`tag ${job.status}`}>{word}</span>
      <span className="job-entity">{job.entityName}</span>
      <Time at={job.createdAt} />
    </div>
  );
}

function ActiveJob({ job }: { job: Job }) {
  const { api, queries, cache } = useSession();
  const cancel = useAct((id: string) => api.cancelJob(id));
  // The list says what runs; how far it is changes too often for it.
  const live = useProgress(job.id, {
    refetch: async () => {
      const jobs = await cache.fetchQuery({ ...queries.jobs, staleTime: 2_000 });
      const now = jobs.find(({ id }) => id === job.id);
      if (!now) return undefined;
      const status = now.status === "running" ? "progress" : now.status;
      return { status, progress: now.progress, label: now.label };
    },
  });
  // What has progress is under way, even if the list has not heard of its start.
  const status = live.status === "progress" && job.status === "queued" ? "running" : job.status;
  const waits = job.status !== "running";
  return (
    <>
      <JobHead job={job} word={status} />
      {status === "queued" ? (
        <p className="quiet-text">Waits for its turn: your jobs run one after another.</p>
      ) : status === "retrying" ? (
        <p className="quiet-text">{`Attempt ${job.attempt + 1} follows. ${job.error ?? ""}`}</p>
      ) : isActive({ status }) ? (
        <Bar
          label={live.label || job.label || "Running"}
          value={live.progress ?? (waits ? 0 : job.progress)}
          stale={live.stale}
        />
      ) : null}
      {isActive({ status }) && (
        <div className="job-actions">
          <Button className="small" icon="cancel" busy={cancel.isPending} onClick={() => cancel.mutate(job.id)}>
            Cancel
          </Button>
        </div>
      )}
    </>
  );
}

function EndedJob({ job, jobs }: { job: Job; jobs: readonly Job[] }) {
  const session = useSession();
  const next = jobs.find(({ originalJobId }) => originalJobId === job.id);
  const retry = useAct(
    (id: string) => session.api.retryJob(id),
    ({ jobId }) => accepted(session, jobId, job, job.id),
  );
  return (
    <>
      <JobHead job={job} word={job.status} />
      {job.error && <p className="job-error">{job.error}</p>}
      {next ? (
        <p className="quiet-text">{`Was started again: ${next.status}.`}</p>
      ) : (
        job.status !== "completed" && (
          <div className="job-actions">
            <Button className="small" icon="retry" busy={retry.isPending} onClick={() => retry.mutate(job.id)}>
              Retry
            </Button>
          </div>
        )
      )}
    </>
  );
}
