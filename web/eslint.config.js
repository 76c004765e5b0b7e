import hooks from "eslint-plugin-react-hooks";
import tseslint from "typescript-eslint";

const features = ["shop", "tracking", "kitchen", "mailbox"];

const forbid = (files, patterns) => ({
  files,
  rules: { "no-restricted-imports": ["error", { patterns }] },
});

export default tseslint.config(
  { ignores: ["dist", "shots", "src/api/schema.ts"] },
  {
    files: ["src/**/*.{ts,tsx}"],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true } },
    plugins: { "react-hooks": hooks },
    rules: {
      "react-hooks/rules-of-hooks": "error",
      "react-hooks/exhaustive-deps": "error",
      "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true }],
      "@typescript-eslint/no-misused-promises": ["error", { checksVoidReturn: { attributes: false } }],
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
    },
  },
  forbid(["src/api/**"], [
    { group: ["**/ui/**", "**/features/**"], message: "api/ knows neither the pages nor their parts." },
  ]),
  forbid(["src/ui/**"], [
    { group: ["**/features/**"], message: "ui/ serves every feature and knows none." },
  ]),
  ...features.map((feature) =>
    forbid([`src/features/${feature}/**`], [
      {
        group: features.filter((other) => other !== feature).flatMap((other) => [`**/${other}`, `**/${other}/**`]),
        message: "A feature imports api/ and ui/, never another feature.",
      },
    ]),
  ),
);
