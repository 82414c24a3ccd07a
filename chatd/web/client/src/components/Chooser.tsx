import { useEffect, useId, useRef, useState } from "react";
import { useKeyDown } from "../hooks/useKeyDown";
import { Popup } from "./Popup";
import { optionId, OptionList, type ListedOption } from "./OptionList";

interface ChooserProps {
  label: string;
  placeholder: string;
  /** What fits what was typed. */
  optionsFor(typed: string): readonly ListedOption[];
  /** What is said if nothing fits. */
  nothing: string;
  onChoose(option: ListedOption): void;
  /** A key has closed it: the focus has to go somewhere. */
  onClose(): void;
  /** The focus has gone elsewhere. */
  onLeave(): void;
}

/** A small box above the composer: type to narrow the list, Enter chooses, Esc closes. */
export function Chooser(props: ChooserProps) {
  const { label, placeholder, optionsFor, nothing, onChoose, onClose, onLeave } = props;
  const listId = useId();
  const root = useRef<HTMLDivElement>(null);
  const input = useRef<HTMLInputElement>(null);
  const [typed, setTyped] = useState("");
  const [picked, setPicked] = useState(0);
  const options = optionsFor(typed);
  const isOpen = options.length > 0;

  useEffect(() => input.current?.focus(), []);

  useKeyDown(root, (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return false;
    switch (event.key) {
      case "ArrowDown":
      case "ArrowUp": {
        const by = event.key === "ArrowDown" ? 1 : -1;
        setPicked((now) => (now + by + options.length) % Math.max(1, options.length));
        return true;
      }
      case "Enter":
        choose(picked);
        return true;
      case "Escape":
        onClose();
        return true;
      default:
        return false;
    }
  });

  function choose(at: number): void {
    const option = options[at];
    if (option !== undefined) onChoose(option);
  }

  return (
    <Popup>
      <div
        className="composer-chooser"
        ref={root}
        onBlur={(event) => {
          const isOutside = !event.currentTarget.contains(event.relatedTarget);
          // If the whole window lost the focus, the focus comes back here.
          if (isOutside && document.hasFocus()) onLeave();
        }}
      >
        <input
          ref={input}
          type="text"
          role="combobox"
          aria-label={label}
          placeholder={placeholder}
          aria-autocomplete="list"
          aria-expanded={isOpen}
          aria-controls={isOpen ? listId : undefined}
          aria-activedescendant={isOpen ? optionId(listId, picked) : undefined}
          autoComplete="off"
          spellCheck={false}
          value={typed}
          onChange={(event) => {
            setTyped(event.target.value);
            setPicked(0);
          }}
        />
        {isOpen ? (
          <OptionList id={listId} label={label} options={options} picked={picked} onPick={choose} />
        ) : (
          <p className="soft">{nothing}</p>
        )}
      </div>
    </Popup>
  );
}
