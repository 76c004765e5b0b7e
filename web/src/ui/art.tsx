import type { ReactNode } from "react";

/** Drawings of the food, chosen by words in the product's code and name, else by its category. */
const DRAWINGS: readonly (readonly [RegExp, () => ReactNode])[] = [
  [/hot-?dog|dog|cachorro|salsich/, HotDog],
  [/xis|x-|burg|smash|hamb|cheddar|bacon/, Burger],
  [/coxinha|croquet|kibe|bolinho/, Coxinha],
  [/pastel|empanad|risole|esfih/, Pastel],
  [/misto|sand|toast|tost|bauru|wrap|baguet/, Toast],
  [/onion|cebola|anel|aneis|rings/, Rings],
  [/salad(?!-?burg)|verde|legum|soup|sopa/, Salad],
  [/fri(es|t)|batata|mandioca|polenta|chips/, Fries],
  [/queijo|bread|pao/, CheeseBread],
  [/agua|água|water/, Water],
  [/caf[eé]|coffee|espresso|cha\b|tea|chocolate-quente|mate/, Coffee],
  [/suco|juice|limonad|lemon|laranja|orange|smooth|vitamin/, Juice],
  [/guaran|refri|cola|soda|soft|lata|beer|cerveja|chop/, Can],
  [/brigad|beijinho|truff|bombom|paçoca|pacoca/, Brigadeiro],
  [/a[cç]a[ií]|bowl|sorvete|ice|gelato|sundae|milk-?shake/, Bowl],
  [/bolo|cake|torta|pie|brownie|mousse/, Cake],
  [/pudim|pudding|flan|doce/, Pudim],
];

const BY_CATEGORY: Record<string, () => ReactNode> = { snack: Burger, side: Fries, drink: Juice, dessert: Pudim };

export function FoodArt({ sku, name, category, className }: { sku: string; name: string; category: string; className?: string | undefined }) {
  const words = `${sku} ${name}`.toLowerCase();
  const savoury = category === "snack" || category === "side";
  const found = DRAWINGS.find(([pattern]) => pattern.test(words))?.[1];
  const Drawing = category === "snack" && /xis|burg/.test(words) ? Burger : (found ?? BY_CATEGORY[category] ?? Burger);
  return (
    <svg viewBox="0 0 96 96" className={className} aria-hidden="true" focusable="false">
      <ellipse cx="48" cy="84" rx={savoury ? 34 : 26} ry="5" fill="#2a1713" opacity=".13" />
      <Drawing />
    </svg>
  );
}

function Burger() {
  return (
    <>
      <path d="M16 45c0-18 14-28 32-28s32 10 32 28z" fill="#e59b3c" />
      <path d="M24 37c3-9 11-14 22-14" stroke="#f7c982" strokeWidth="3.5" strokeLinecap="round" fill="none" />
      <g fill="#fff0cd">
        <ellipse cx="46" cy="28" rx="2.6" ry="1.6" />
        <ellipse cx="58" cy="27" rx="2.6" ry="1.6" transform="rotate(20 58 27)" />
        <ellipse cx="52" cy="35" rx="2.6" ry="1.6" />
        <ellipse cx="66" cy="35" rx="2.6" ry="1.6" transform="rotate(30 66 35)" />
        <ellipse cx="38" cy="36" rx="2.6" ry="1.6" transform="rotate(-20 38 36)" />
      </g>
      <path d="M12 47c5-4 8 3 13-1s8 4 13 0 8 4 13 0 8 4 13 0 8 4 12 0 6-1 8 2c-1 5-5 6-8 6H20c-5 0-8-2-8-7z" fill="#76a83c" />
      <rect x="16" y="52" width="64" height="5" rx="2.5" fill="#d8432c" />
      <rect x="14" y="56" width="68" height="12" rx="6" fill="#6a3820" />
      <path d="M20 56h56l-9 8-8-5-8 8-9-8z" fill="#ffc93f" />
      <path d="M16 69h64v3c0 7-5 11-11 11H27c-6 0-11-4-11-11z" fill="#dc8d31" />
    </>
  );
}

function HotDog() {
  return (
    <g transform="rotate(-16 48 50)">
      <rect x="10" y="48" width="76" height="26" rx="13" fill="#dc8d31" />
      <rect x="6" y="39" width="84" height="22" rx="11" fill="#b5402a" />
      <path d="M14 46c8-5 60-5 68 0" stroke="#d96a4d" strokeWidth="3" fill="none" strokeLinecap="round" />
      <path d="M16 54c6-8 9 4 16-3s9 4 16-3 9 4 16-3 9 4 15-4" stroke="#ffc93f" strokeWidth="4.5" fill="none" strokeLinecap="round" />
      <path d="M10 60c8 6 68 6 76 0 3 8-3 16-13 16H23c-10 0-16-8-13-16z" fill="#e9a64b" />
      <g fill="#76a83c">
        <circle cx="30" cy="43" r="2.2" />
        <circle cx="50" cy="42" r="2.2" />
        <circle cx="68" cy="45" r="2.2" />
      </g>
    </g>
  );
}

function Coxinha() {
  return (
    <>
      <path d="M40 14c4 12 24 26 24 45 0 15-10 24-23 24s-23-9-23-24c0-19 18-33 22-45z" fill="#d98a32" />
      <path d="M30 44c-5 8-6 18-1 25" stroke="#f2bd6c" strokeWidth="4" fill="none" strokeLinecap="round" />
      <path d="M66 44c3 8 14 16 14 27 0 8-6 12-13 12s-13-4-13-12c0-11 9-19 12-27z" fill="#c4772a" />
      <g fill="#f7cf8d">
        <circle cx="44" cy="40" r="1.6" />
        <circle cx="50" cy="56" r="1.6" />
        <circle cx="40" cy="66" r="1.6" />
        <circle cx="52" cy="71" r="1.6" />
        <circle cx="36" cy="52" r="1.6" />
        <circle cx="70" cy="66" r="1.6" />
        <circle cx="64" cy="74" r="1.6" />
      </g>
    </>
  );
}

function Pastel() {
  return (
    <g transform="rotate(-8 48 52)">
      <path d="M10 66c0-26 17-44 38-44s38 18 38 44c0 5-3 8-8 8H18c-5 0-8-3-8-8z" fill="#eeb251" />
      <path d="M10 66c0-26 17-44 38-44s38 18 38 44" fill="none" stroke="#cf8427" strokeWidth="6" strokeDasharray="3 5" strokeLinecap="round" />
      <path d="M28 58c2-12 10-20 20-20" stroke="#fbd994" strokeWidth="4.5" fill="none" strokeLinecap="round" />
      <g fill="#cf8427" opacity=".7">
        <ellipse cx="54" cy="50" rx="4" ry="2.6" />
        <ellipse cx="66" cy="62" rx="3" ry="2" />
        <ellipse cx="42" cy="64" rx="3" ry="2" />
      </g>
    </g>
  );
}

function Toast() {
  return (
    <>
      <path d="M14 56 48 34l34 22-34 24z" fill="#c97f33" />
      <path d="M14 50 48 28l34 22-34 24z" fill="#ffc93f" />
      <path d="M14 46 48 24l34 22-34 24z" fill="#ef9c94" />
      <path d="M14 42 48 20l34 22-34 24z" fill="#e5a553" />
      <path d="M20 42 48 24l28 18-28 20z" fill="#f4c67f" />
      <path d="m34 40 14-9m-6 16 15-10m-5 16 14-9" stroke="#c97f33" strokeWidth="3" strokeLinecap="round" />
    </>
  );
}

function Rings() {
  const ring = (cx: number, cy: number, r: number) => (
    <>
      <circle cx={cx} cy={cy} r={r} fill="none" stroke="#d98a32" strokeWidth="10" />
      <circle cx={cx} cy={cy} r={r} fill="none" stroke="#f4c67f" strokeWidth="3" strokeDasharray="2 7" strokeLinecap="round" />
    </>
  );
  return (
    <>
      {ring(36, 58, 17)}
      {ring(63, 62, 14)}
      {ring(53, 34, 14)}
    </>
  );
}

function Salad() {
  return (
    <>
      <path d="M16 50c-4-12 8-18 14-13 2-10 17-13 22-4 7-7 20-2 18 8 9 0 13 6 10 11z" fill="#86b445" />
      <path d="M26 50c-1-8 6-12 11-8 3-7 12-7 15 0 6-3 13 2 11 9z" fill="#5c8f30" />
      <circle cx="34" cy="42" r="7" fill="#d8432c" />
      <circle cx="66" cy="44" r="7" fill="#d8432c" />
      <circle cx="51" cy="37" r="5" fill="#ffd874" />
      <path d="M12 50h72c0 20-13 33-29 33H41C25 83 12 70 12 50z" fill="#fff8ea" />
      <path d="M12 50h72c0 3 0 5-1 8H13c-1-3-1-5-1-8z" fill="#e9d8bd" />
    </>
  );
}

function Fries() {
  return (
    <>
      <g fill="#ffc93f" stroke="#e5a32a" strokeWidth="1.5">
        <rect x="27" y="20" width="9" height="40" rx="2" transform="rotate(-9 31 40)" />
        <rect x="37" y="13" width="9" height="46" rx="2" transform="rotate(-3 41 36)" />
        <rect x="48" y="16" width="9" height="44" rx="2" transform="rotate(4 52 38)" />
        <rect x="59" y="20" width="9" height="40" rx="2" transform="rotate(11 63 40)" />
        <rect x="32" y="27" width="9" height="34" rx="2" transform="rotate(-5 36 44)" />
        <rect x="54" y="27" width="9" height="34" rx="2" transform="rotate(6 58 44)" />
        <rect x="43" y="24" width="9" height="36" rx="2" />
      </g>
      <path d="M20 46c9 7 47 7 56 0l-7 34c-1 3-3 4-5 4H32c-2 0-4-1-5-4z" fill="#b3261b" />
      <path d="M33 51l3 33h8l-1-31zm20 2-1 31h8l3-33z" fill="#fff4dd" />
    </>
  );
}

function CheeseBread() {
  return (
    <>
      <circle cx="33" cy="64" r="19" fill="#e8b04c" />
      <circle cx="64" cy="64" r="19" fill="#dfa03c" />
      <circle cx="49" cy="42" r="20" fill="#f0bf62" />
      <path d="M38 36c3-6 9-8 15-7M22 62c1-5 5-8 9-8M54 62c1-5 5-8 9-8" stroke="#fbe0a5" strokeWidth="4" fill="none" strokeLinecap="round" />
      <g fill="#c98728">
        <circle cx="55" cy="46" r="2" />
        <circle cx="45" cy="50" r="1.6" />
        <circle cx="70" cy="70" r="2" />
        <circle cx="36" cy="72" r="1.8" />
      </g>
    </>
  );
}

function Water() {
  return (
    <>
      <rect x="40" y="10" width="16" height="10" rx="3" fill="#3f7fae" />
      <path d="M41 20h14v8c8 4 11 9 11 17v32c0 4-3 7-7 7H37c-4 0-7-3-7-7V45c0-8 3-13 11-17z" fill="#bfe1f2" />
      <path d="M30 48h36v20H30z" fill="#3f7fae" />
      <path d="M38 58c4-5 7 5 11 0s6 4 10 0" stroke="#fff" strokeWidth="3" fill="none" strokeLinecap="round" />
      <path d="M37 32c-2 3-3 6-3 10" stroke="#fff" strokeWidth="3" fill="none" strokeLinecap="round" />
    </>
  );
}

function Coffee() {
  return (
    <>
      <path d="M38 14c-5 6 5 8 0 15m12-15c-5 6 5 8 0 15" stroke="#8a6a58" strokeWidth="3.5" fill="none" strokeLinecap="round" opacity=".6" />
      <path d="M68 44h6c8 0 12 5 12 11s-5 12-13 12h-8v-7h8c3 0 5-2 5-5s-2-4-4-4h-6z" fill="#f3e3cb" />
      <path d="M18 38h52v22c0 13-9 22-20 22H38c-11 0-20-9-20-22z" fill="#fff8ea" />
      <ellipse cx="44" cy="39" rx="26" ry="7" fill="#f3e3cb" />
      <ellipse cx="44" cy="39.5" rx="21" ry="5" fill="#5a3019" />
      <path d="M18 54c8 4 44 4 52 0v6c0 1 0 3-1 5-9 3-41 3-50 0-1-2-1-4-1-5z" fill="#b3261b" />
    </>
  );
}

function Juice() {
  return (
    <>
      <path d="M54 26 62 6" stroke="#b3261b" strokeWidth="5" strokeLinecap="round" />
      <path d="M26 26h44l-5 52c0 4-3 6-6 6H37c-3 0-6-2-6-6z" fill="#fff8ea" opacity=".85" />
      <path d="M28 38h40l-4 39c0 3-2 4-5 4H37c-3 0-5-1-5-4z" fill="#ff9d2e" />
      <path d="M28 38c7-4 13 4 20 0s13 4 20 0v5H28z" fill="#ffb957" />
      <circle cx="70" cy="30" r="14" fill="#f58a1f" />
      <circle cx="70" cy="30" r="11" fill="#ffd28a" />
      <path d="M70 20v20M60 30h20M63 23l14 14M77 23 63 37" stroke="#f58a1f" strokeWidth="2" />
      <rect x="38" y="52" width="10" height="10" rx="2" fill="#fff" opacity=".35" transform="rotate(14 43 57)" />
    </>
  );
}

function Can() {
  return (
    <>
      <path d="M30 18h36l4 8v50l-4 8H30l-4-8V26z" fill="#2f7d46" />
      <path d="M26 42c14-7 30 5 44-2v24c-14 7-30-5-44 2z" fill="#fff4dd" />
      <circle cx="48" cy="53" r="9" fill="#c9301f" />
      <circle cx="48" cy="53" r="4.5" fill="#fff8ea" />
      <circle cx="48.5" cy="53" r="2.4" fill="#2a1713" />
      <ellipse cx="48" cy="18" rx="18" ry="4" fill="#d6d9d3" />
      <ellipse cx="48" cy="18" rx="7" ry="1.6" fill="#8f968c" />
      <path d="M31 28v44" stroke="#fff" strokeWidth="3" opacity=".3" strokeLinecap="round" />
    </>
  );
}

function Brigadeiro() {
  const sprinkles = [
    [40, 32, 20],
    [52, 28, -30],
    [60, 38, 60],
    [46, 42, -10],
    [34, 44, 70],
    [56, 49, 10],
    [42, 53, -40],
    [66, 48, -60],
    [30, 54, 15],
  ] as const;
  return (
    <>
      <circle cx="48" cy="46" r="25" fill="#4c2614" />
      <path d="M32 36c4-7 10-10 17-10" stroke="#7d492e" strokeWidth="4" fill="none" strokeLinecap="round" />
      {sprinkles.map(([x, y, turn], n) => (
        <rect
          key={n}
          x={x - 3.5}
          y={y - 1.3}
          width="7"
          height="2.6"
          rx="1.3"
          fill={["#ffc93f", "#ef9c94", "#fff4dd"][n % 3]}
          transform={`rotate(${turn} ${x} ${y})`}
        />
      ))}
      <path d="M20 54l6 5 5-5 6 5 5-5 6 5 6-5 5 5 6-5 5 5 6-5-6 25c-1 4-4 5-7 5H33c-3 0-6-1-7-5z" fill="#d8432c" />
      <path d="M33 62l3 21m12-20v20m15-21-3 21" stroke="#a92c1a" strokeWidth="2.5" strokeLinecap="round" />
    </>
  );
}

function Bowl() {
  return (
    <>
      <path d="M20 50c0-18 12-28 28-28s28 10 28 28z" fill="#6b3a86" />
      <path d="M30 42c3-8 8-12 16-13" stroke="#9a68b5" strokeWidth="4" fill="none" strokeLinecap="round" />
      <g fill="#ffe1a0">
        <circle cx="42" cy="46" r="7" />
        <circle cx="56" cy="45" r="7" />
        <circle cx="68" cy="48" r="5" />
      </g>
      <g fill="#e9bd62">
        <circle cx="42" cy="46" r="2" />
        <circle cx="56" cy="45" r="2" />
      </g>
      <path d="M56 24c4-4 10-3 12 2-5 3-10 3-12-2z" fill="#5c8f30" />
      <circle cx="54" cy="27" r="5" fill="#d8432c" />
      <path d="M13 50h70c0 19-12 33-27 33H40C25 83 13 69 13 50z" fill="#fff8ea" />
      <path d="M14 57c12 6 56 6 68 0l-2 8c-14 5-50 5-64 0z" fill="#3f8f77" />
    </>
  );
}

function Cake() {
  return (
    <>
      <path d="M12 50 60 28c14 0 24 10 24 22z" fill="#fff1de" />
      <path d="M12 50h72v32H12z" fill="#8a4d2a" />
      <path d="M12 58h72v6H12zm0 12h72v5H12z" fill="#ffe1a0" />
      <path d="M12 50h72v7c-4 5-8 5-11 0-4 8-9 8-13 0-4 5-8 5-12 0-4 8-9 8-13 0-4 5-8 5-11 0-4 4-8 4-12 0z" fill="#fff8ea" />
      <circle cx="58" cy="27" r="8" fill="#c9301f" />
      <path d="M58 20c1-6 5-9 10-9" stroke="#5c8f30" strokeWidth="3" fill="none" strokeLinecap="round" />
    </>
  );
}

function Pudim() {
  return (
    <>
      <ellipse cx="48" cy="78" rx="39" ry="7" fill="#fff8ea" />
      <path d="M28 30h40l9 44c-8 5-50 5-58 0z" fill="#f6c566" />
      <path d="M28 30h40l3 15c-2 5-6 5-8 0-2 10-9 10-11 1-3 7-9 7-11 0-3 9-9 8-10-1-2 4-4 3-6 0z" fill="#8a4a18" />
      <ellipse cx="48" cy="30" rx="20" ry="6" fill="#a85f22" />
      <path d="M36 29c4-2 8-3 14-2" stroke="#d99a55" strokeWidth="2.5" fill="none" strokeLinecap="round" />
      <path d="M19 74c8 5 50 5 58 0 3 1 4 3 2 4-12 5-50 5-62 0-2-1-1-3 2-4z" fill="#8a4a18" />
      <path d="M31 52c-1 6-2 11-3 16" stroke="#fce4ae" strokeWidth="3.5" fill="none" strokeLinecap="round" />
    </>
  );
}

/** A plate with cutlery, for pages with nothing on them. */
export function PlateArt({ className }: { className?: string | undefined }) {
  return (
    <svg viewBox="0 0 160 110" className={className} aria-hidden="true" focusable="false">
      <ellipse cx="80" cy="98" rx="56" ry="6" fill="#2a1713" opacity=".12" />
      <circle cx="80" cy="54" r="42" fill="#fff8ea" stroke="#e3d2b8" strokeWidth="2" />
      <circle cx="80" cy="54" r="28" fill="none" stroke="#b3261b" strokeWidth="2" strokeDasharray="5 6" opacity=".6" />
      <path d="M20 18v18c0 6 3 8 5 9v47M15 18v16m10-16v16m-5-16v16" stroke="#8a6a58" strokeWidth="3.5" fill="none" strokeLinecap="round" />
      <path d="M138 92V18c-9 6-11 24-9 36l9 2" stroke="#8a6a58" strokeWidth="3.5" fill="none" strokeLinecap="round" strokeLinejoin="round" />
    </svg>
  );
}

/** An unplugged lamp over the counter, for failures. */
export function LampArt({ className }: { className?: string | undefined }) {
  return (
    <svg viewBox="0 0 160 110" className={className} aria-hidden="true" focusable="false">
      <ellipse cx="80" cy="100" rx="52" ry="5" fill="#2a1713" opacity=".12" />
      <path d="M80 0v26" stroke="#8a6a58" strokeWidth="3.5" />
      <path d="M52 56c0-18 11-30 28-30s28 12 28 30z" fill="#b3261b" />
      <path d="M62 50c2-9 7-14 14-16" stroke="#e2766a" strokeWidth="4" fill="none" strokeLinecap="round" />
      <path d="M70 56h20c0 7-4 11-10 11s-10-4-10-11z" fill="#d9c7ae" />
      <path d="M48 74l-9 8m41-6v11m32-13 9 8" stroke="#8a6a58" strokeWidth="3.5" strokeLinecap="round" strokeDasharray="4 5" />
    </svg>
  );
}

/** The sign: a ticket torn from its pad. */
export function Sign({ className }: { className?: string | undefined }) {
  return (
    <svg viewBox="0 0 32 32" className={className} aria-hidden="true" focusable="false">
      <path d="M6 3h20v26l-3.3-2.400L19.3 29 16 26.6 12.7 29l-3.4-2.400L6 29z" fill="#ffe08a" />
      <path d="M6 3h20v5.500H6z" fill="#fff8ea" />
      <path d="M10.5 14h11M10.5 18.500h11M10.5 23h6.5" stroke="#4a2a1c" strokeWidth="2" strokeLinecap="round" />
    </svg>
  );
}
