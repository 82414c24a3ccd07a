import type { ReactNode } from "react";
import "@chatd/react/style.css";

export const metadata = { title: "bare" };

export default function Layout({ children }: { children: ReactNode }) {
  return (
    <html lang="en">
      <body>{children}</body>
    </html>
  );
}
