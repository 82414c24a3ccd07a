import { afterEach, expect, test, vi } from "vitest";
import { MessageEditor } from "../../src/components/MessageEditor";
import { RoomsDialog } from "../../src/components/RoomsDialog";
import { SwitchDialog } from "../../src/components/SwitchDialog";
import { TOUCH } from "../../src/hooks/useMedia";
import { fakeChat, fakeMessage } from "../fakes";
import { draw } from "./rendering";
import { holding } from "./media";

afterEach(() => vi.unstubAllGlobals());

const all = (
  <>
    <RoomsDialog title="chatd" account={undefined} />
    <SwitchDialog />
    <MessageEditor message={fakeMessage(1)} />
  </>
);
const HINTS = /Ctrl|Esc|Enter saves|\?/;

test("keys are told of where there are some, and not where one has but fingers", () => {
  holding();
  expect(draw(fakeChat(), all).textContent).toMatch(HINTS);
  holding(TOUCH);
  expect(draw(fakeChat(), all).textContent).not.toMatch(HINTS);
});
