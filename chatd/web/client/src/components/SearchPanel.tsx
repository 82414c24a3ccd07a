/** The search, in the panel. */
export function SearchPanel() {
  return null;
}
