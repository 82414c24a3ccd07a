import { useUi } from "../hooks/useChat";

/** The one place that speaks to people who cannot see the page. */
export function Announcer() {
  const announcement = useUi((state) => state.announcement);
  const polite = announcement?.urgency === "polite" ? announcement : undefined;
  const assertive = announcement?.urgency === "assertive" ? announcement : undefined;
  // A key for each announcement, so that the same words are read twice if they come twice.
  return (
    <>
      <div className="sr" aria-live="polite">
        {polite !== undefined && <span key={polite.serial}>{polite.text}</span>}
      </div>
      <div className="sr" aria-live="assertive">
        {assertive !== undefined && <span key={assertive.serial}>{assertive.text}</span>}
      </div>
    </>
  );
}
