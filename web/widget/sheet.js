/**
 * How the widget looks. A sheet that is made by script, as a page's policy may forbid styles in its markup.
 *
 * @module
 */

const TINTS = Array.from({ length: 12 }, (_, tint) => `.tint-${tint} { --hue: ${15 + 30 * tint}; }`).join("\n");
const SCORES = [0, 1, 2, 3].map((index) => `.score-${index} { flex-basis: var(--score-${index}, 4ch); }`).join("\n");

const TEXT = `
:host {
  display: flex;
  flex-direction: column;
  container-type: inline-size;
  text-align: start;
}

:host([hidden]) { display: none; }

*, *::before, *::after { box-sizing: border-box; }

[hidden] { display: none !important; }

.frame {
  color-scheme: light dark;

  --ink: var(--leaderboard-ink, light-dark(#191a1c, #f0eee9));
  --soft: var(--leaderboard-soft, light-dark(#64635e, #9b9da1));
  --paper: var(--leaderboard-paper, light-dark(#ffffff, #14171a));
  --line: var(--leaderboard-line, light-dark(#ece9e3, #22272c));
  --accent: var(--leaderboard-accent, light-dark(#13704a, #5fd39c));
  --caution: var(--leaderboard-caution, light-dark(#8f6200, #dcae4c));
  --glow: var(--leaderboard-glow, color-mix(in srgb, var(--accent) 14%, transparent));
  --gold: var(--leaderboard-gold, light-dark(#8a6100, #f0c24a));
  --silver: var(--leaderboard-silver, light-dark(#5c656f, #bcc6d0));
  --bronze: var(--leaderboard-bronze, light-dark(#8f4f25, #dc9a6c));
  --edge: var(--leaderboard-edge, 1.05em);
  --row: var(--leaderboard-row, 3em);
  --face: 2em;
  --gap: 0.7em;

  position: relative;
  flex: 0 1 auto;
  display: flex;
  flex-direction: column;
  min-block-size: 0;
  overflow: clip;
  border: 1px solid var(--leaderboard-border, var(--line));
  border-radius: var(--leaderboard-radius, 14px);
  background: var(--paper);
  box-shadow: var(--leaderboard-shadow, light-dark(0 1px 2px rgb(40 34 20 / 6%), 0 0 transparent));
  color: var(--ink);
  font-family: var(--leaderboard-font, inherit);
  font-variant-numeric: tabular-nums lining-nums;
  line-height: 1.4;
}

.frame[data-theme="light"] { color-scheme: light; }
.frame[data-theme="dark"] { color-scheme: dark; }

.frame[data-density="compact"] {
  --row: var(--leaderboard-row, 2.25em);
  --face: 1.5em;
  --gap: 0.55em;
}

header {
  display: flex;
  align-items: center;
  flex: none;
  gap: 0.75em;
  min-block-size: 4.1em;
  padding: 0.5em var(--edge);
}

.what {
  flex: 1;
  min-inline-size: 0;
}

.title {
  overflow: hidden;
  font-size: 1.0625em;
  font-weight: 650;
  letter-spacing: -0.014em;
  line-height: 1.3;
  text-overflow: ellipsis;
  white-space: nowrap;
}

.count {
  color: var(--soft);
  font-size: 0.8125em;
}

.status {
  flex: none;
  display: inline-flex;
  align-items: center;
  gap: 0.5em;
  color: var(--soft);
  font-size: 0.8125em;
  white-space: nowrap;
}

.dot {
  position: relative;
  inline-size: 0.5em;
  block-size: 0.5em;
  border-radius: 50%;
  background: currentColor;
}

.dot::after {
  content: "";
  position: absolute;
  inset: 0;
  border-radius: 50%;
  background: var(--accent);
  opacity: 0;
}

.frame[data-kind="live"] .dot, .frame[data-kind="empty"] .dot, .frame[data-kind="unranked"] .dot { background: var(--accent); }
.frame[data-kind="stale"] .status { color: var(--caution); }
.frame[data-kind="offline"] .dot, .frame[data-kind="unreachable"] .dot, .frame[data-kind="loading"] .dot { background: var(--caution); }

/* Without a heading there is a word only when something is the matter. */
.bare header {
  position: absolute;
  inset-block-start: 0;
  inset-inline-end: 0;
  z-index: 5;
  min-block-size: 0;
  padding: 0.35em 0.7em;
  border-end-start-radius: 10px;
  background: var(--paper);
}

.bare .what, .bare[data-kind="live"] header, .bare[data-kind="empty"] header, .bare[data-kind="unranked"] header,
.bare[data-kind="loading"] header { display: none; }

/* The list */

.scroller {
  min-block-size: 0;
  overflow: hidden auto;
  overscroll-behavior: contain;
  scrollbar-width: thin;
  scrollbar-color: var(--line) transparent;
}

.table { transition: opacity 0.2s; }

/* A blink of the network is not worth a change of the picture. */
.frame[data-kind="offline"] .table, .frame[data-kind="stale"] .table {
  opacity: 0.6;
  transition: opacity 0.6s 1.5s;
}

.line {
  position: relative;
  display: flex;
  align-items: center;
  gap: var(--gap);
  block-size: var(--row);
  padding-inline: var(--edge);
  contain: layout style;
}

/* A row out of sight is neither styled nor laid out nor painted; it is as high as the others all the same. */
.body .line { content-visibility: auto; }

.body .line, .own .line { border-block-start: 1px solid var(--line); }

.bare .head.hidden + .body .line:first-child { border-color: transparent; }

.head .line {
  block-size: 1.5em;
  margin-block-start: -0.35em;
  color: var(--soft);
}

.bare .head .line { margin-block-start: 0.35em; }

.head .label {
  font-size: 0.75em;
  font-weight: 400;
  white-space: nowrap;
}

.head .label::first-letter { text-transform: uppercase; }

/* A name that is wider than its values goes into the room before it. */
.head .score {
  display: flex;
  justify-content: flex-end;
  overflow: visible;
}

.rank {
  flex: none;
  min-inline-size: max(1.75em, var(--rank-width, 2ch));
  color: var(--soft);
  text-align: center;
}

/* Plain text in a line of its height: a grid around each rank is most of what laying a row out costs. */
.rank span {
  display: inline-block;
  min-inline-size: 1.75em;
  border-radius: 99px;
  line-height: 1.75em;
}

.line[data-medal="1"] { --medal: var(--gold); }
.line[data-medal="2"] { --medal: var(--silver); }
.line[data-medal="3"] { --medal: var(--bronze); }

.line:is([data-medal="1"], [data-medal="2"], [data-medal="3"]) .rank span {
  background: color-mix(in srgb, var(--medal) 17%, transparent);
  color: var(--medal);
  font-weight: 700;
}

.line[data-medal="1"] { background-image: linear-gradient(to right, color-mix(in srgb, var(--gold) 9%, transparent), transparent 70%); }
:dir(rtl).line[data-medal="1"] { background-image: linear-gradient(to left, color-mix(in srgb, var(--gold) 9%, transparent), transparent 70%); }

.move {
  flex: none;
  display: flex;
  justify-content: flex-end;
  line-height: 1;
}

.move span {
  display: inline-flex;
  align-items: center;
  gap: 0.3em;
  font-size: 0.78em;
}

.move .up::before, .move .down::before {
  content: "";
  inline-size: 0.62em;
  block-size: 0.5em;
  background: currentColor;
  clip-path: polygon(50% 0, 100% 100%, 0 100%);
}

.move .down::before { transform: scaleY(-1); }
.move .up { color: var(--accent); }
/* One who climbs pushes many down by one: only the climb has a colour. */
.move .down, .move .new { color: var(--soft); }

.player {
  flex: 1 1 5em;
  display: flex;
  align-items: center;
  gap: var(--gap);
  min-inline-size: 4.5em;
}

.name {
  min-inline-size: 0;
  overflow: hidden;
  /* Marks piled on a letter stay in their row. */
  overflow-clip-margin: 0;
  text-overflow: ellipsis;
  white-space: nowrap;
}

.line[data-medal="1"] .name { font-weight: 600; }

.country {
  flex: none;
  color: var(--soft);
  font-size: 0.75em;
  letter-spacing: 0.04em;
}

.country:empty { display: none; }

.you {
  flex: none;
  padding: 0.1em 0.5em 0.15em;
  border-radius: 99px;
  background: color-mix(in srgb, var(--accent) 16%, transparent);
  color: var(--accent);
  font-size: 0.6875em;
  font-weight: 600;
}

.avatar {
  display: grid;
  place-items: center;
  flex: none;
  inline-size: var(--face);
  block-size: var(--face);
  overflow: hidden;
  border-radius: var(--leaderboard-picture-radius, 50%);
  background: light-dark(oklch(0.92 0.045 var(--hue)), oklch(0.3 0.045 var(--hue)));
  color: light-dark(oklch(0.4 0.09 var(--hue)), oklch(0.86 0.07 var(--hue)));
  user-select: none;
}

/* A size of its own would change what its em is. */
.avatar:not(.pictured) {
  inline-size: calc(var(--face) / 0.74);
  block-size: calc(var(--face) / 0.74);
  font-size: 0.74em;
  font-weight: 600;
  line-height: 1;
}

.frame[data-density="compact"] .avatar:not(.pictured) {
  inline-size: calc(var(--face) / 0.62);
  block-size: calc(var(--face) / 0.62);
  font-size: 0.62em;
}

.avatar img {
  inline-size: 100%;
  block-size: 100%;
  object-fit: cover;
}

${TINTS}

.score {
  flex: 0 1 4ch;
  min-inline-size: 0;
  overflow: hidden;
  text-align: end;
  text-overflow: ellipsis;
  white-space: nowrap;
}

${SCORES}

:is(.body, .own) .score { color: var(--soft); }
:is(.body, .own) .score-0 { color: inherit; font-weight: 620; }
:is(.body, .own) .score:not(.score-0) span { font-size: 0.9em; }

/* A minus stands before its number in every script. */
.score span { direction: ltr; unicode-bidi: isolate; }

/* A row that scored breathes; one that overtakes passes in front. */
.glow {
  position: absolute;
  inset: 0;
  z-index: -1;
  background: var(--glow);
  opacity: 0;
  pointer-events: none;
}

.body .line.front {
  z-index: 2;
  background-color: var(--paper);
}

.line.mine {
  background-color: color-mix(in srgb, var(--accent) 8%, var(--paper));
  box-shadow: inset 3px 0 var(--accent);
}

:dir(rtl).line.mine { box-shadow: inset -3px 0 var(--accent); }

.line.mine .name { font-weight: 600; }

.own {
  position: sticky;
  inset-block-end: 0;
  z-index: 3;
  background: var(--paper);
  box-shadow: 0 -0.5em 1em -0.5em light-dark(rgb(40 34 20 / 12%), rgb(0 0 0 / 45%));
}

.own .move { visibility: hidden; }

/* The whole row is the button's. */
.pick {
  position: absolute;
  inset: 0;
  margin: 0;
  padding: 0;
  border: 0;
  background: none;
  cursor: pointer;
}

.line:has(.pick):hover { background-color: color-mix(in srgb, var(--ink) 4%, var(--paper)); }

:focus-visible {
  outline: 2px solid var(--accent);
  outline-offset: -2px;
  border-radius: 4px;
}

/* Where there are no rows */

.ghosts {
  /* A quick answer shows no loading at all. */
  animation: arrive 0.4s 0.3s both;
}

.ghosts span {
  display: block;
  block-size: var(--row);
  border-block-start: 1px solid var(--line);
}

.ghosts span::before {
  content: "";
  display: block;
  block-size: 100%;
  margin-inline: var(--edge);
  background:
    radial-gradient(circle at 0.875em 50%, var(--line) 0.8em, transparent 0.85em) 0 0 / 1.8em 100% no-repeat,
    linear-gradient(var(--line), var(--line)) 3.1em 50% / 42% 0.7em no-repeat,
    linear-gradient(var(--line), var(--line)) 100% 50% / 3em 0.7em no-repeat;
}

.ghosts:dir(rtl) span::before { transform: scaleX(-1); }
.ghosts span:nth-child(2) { opacity: 0.8; }
.ghosts span:nth-child(3) { opacity: 0.6; }
.ghosts span:nth-child(4) { opacity: 0.4; }
.ghosts span:nth-child(5) { opacity: 0.22; }

@keyframes arrive { from { opacity: 0; } }

.notice {
  padding: 2.6em 1.5em 3.2em;
  border-block-start: 1px solid var(--line);
  text-align: center;
}

.bare .notice { border: 0; }

.notice p {
  margin: 0;
  color: var(--soft);
  font-size: 0.9375em;
  text-align: center;
  text-wrap: balance;
}

.notice p:first-child {
  margin-block-end: 0.3em;
  color: var(--ink);
  font-size: 1.0625em;
  font-weight: 620;
}

.hidden {
  position: absolute;
  inline-size: 1px;
  block-size: 1px;
  margin: 0;
  overflow: hidden;
  clip-path: inset(50%);
  white-space: nowrap;
}

/* Where there is little room */

@container (max-width: 27em) {
  .country { display: none; }
}

/* Scores that leave no room for a name: the first, by which the board is ordered, stays. */
@container (max-width: 30em) {
  .broad .score:not(.score-0) { display: none; }
}

@container (max-width: 22em) {
  .frame { --edge: var(--leaderboard-edge, 0.75em); --gap: 0.5em; }
}

@container (max-width: 16em) {
  .move { display: none; }
  .count { display: none; }
}

@media (prefers-reduced-motion: reduce) {
  .ghosts { animation-duration: 1ms; }
}

@media (forced-colors: active) {
  .dot, .move .up::before, .move .down::before { background: CanvasText; }
  .line.mine { outline: 2px solid Highlight; outline-offset: -2px; }
}
`;

export const sheet = new CSSStyleSheet();
sheet.replaceSync(TEXT);
