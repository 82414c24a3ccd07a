import type { Ref } from "react";

/** How many options are seen at once; the list moves along with the picked one. */
export const SEEN_MAX = 8;

export interface ListedOption {
  key: string;
  label: string;
  detail?: string | undefined;
}

interface OptionListProps {
  id: string;
  label: string;
  options: readonly ListedOption[];
  picked: number;
  onPick(at: number): void;
  ref?: Ref<HTMLDivElement>;
}

/**
 * A list to pick from; keys in the box that has the focus step through it. It never scrolls, so
 * that the focus never needs to reach it.
 */
export function OptionList({ id, label, options, picked, onPick, ref }: OptionListProps) {
  const first = Math.max(0, Math.min(picked - SEEN_MAX + 1 + MARGIN, options.length - SEEN_MAX));
  return (
    <div className="composer-options" id={id} role="listbox" aria-label={label} ref={ref}>
      {options.slice(first, first + SEEN_MAX).map((option, offset) => {
        const at = first + offset;
        return (
          // The box that has the focus hears its keys.
          // oxlint-disable-next-line jsx-a11y/click-events-have-key-events
          <div
            key={option.key}
            id={optionId(id, at)}
            role="option"
            tabIndex={-1}
            aria-selected={at === picked}
            aria-setsize={options.length}
            aria-posinset={at + 1}
            // The focus stays in the box.
            onMouseDown={(event) => event.preventDefault()}
            onClick={() => onPick(at)}
          >
            <span className="composer-option-label">{option.label}</span>
            {option.detail !== undefined && <span className="soft"> {option.detail}</span>}
          </div>
        );
      })}
    </div>
  );
}

/** How many options are seen after the picked one. */
const MARGIN = 1;

export function optionId(listId: string, at: number): string {
  return `${listId}-${at}`;
}
