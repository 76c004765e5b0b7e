import { MAX_NOTE, MAX_TEXT } from "../../api/types";
import { Pick, SelectField, TextField } from "../../ui/Field";
import { useLocale } from "../../ui/locale";
import styles from "./CheckoutPage.module.css";
import { groupCpf, groupPostalCode, STATES, type Form, type FormErrors } from "./form";

const TIPS = [0, 5, 10, 15];

interface Props {
  form: Form;
  errors: FormErrors;
  change: (part: Partial<Form>) => void;
}

export function WhoFields({ form, errors, change }: Props) {
  const { t } = useLocale();
  return (
    <fieldset className={styles.section}>
      <legend>
        <h2>{t.checkout.who}</h2>
      </legend>
      <div className={styles.picks}>
        <Pick type="radio" name="who" value="named" checked={form.named} label={t.checkout.named} hint={t.checkout.namedHint} onChange={() => change({ named: true })} />
        <Pick type="radio" name="who" value="anonymous" checked={!form.named} label={t.checkout.anonymous} hint={t.checkout.anonymousHint} onChange={() => change({ named: false })} />
      </div>
      {form.named && (
        <div className={styles.fields}>
          <TextField label={t.checkout.name} error={errors.name} value={form.name} maxLength={MAX_TEXT} autoComplete="name" onChange={(name) => change({ name })} />
          <TextField label={t.checkout.email} error={errors.email} value={form.email} type="email" maxLength={254} autoComplete="email" onChange={(email) => change({ email })} />
          <TextField
            label={t.checkout.cpf}
            hint={t.checkout.optional}
            error={errors.cpf}
            value={form.cpf}
            inputMode="numeric"
            autoComplete="off"
            placeholder="000.000.000-00"
            onChange={(cpf) => change({ cpf: groupCpf(cpf) })}
          />
        </div>
      )}
    </fieldset>
  );
}

export function DeliveryFields({ form, errors, change, fee }: Props & { fee: string }) {
  const { t } = useLocale();
  return (
    <fieldset className={styles.section}>
      <legend>
        <h2>{t.checkout.how}</h2>
      </legend>
      <div className={styles.picks}>
        <Pick type="radio" name="how" value="pickup" checked={!form.courier} label={t.checkout.pickup} hint={t.checkout.pickupHint} onChange={() => change({ courier: false })} />
        <Pick type="radio" name="how" value="courier" checked={form.courier} label={t.checkout.courier} hint={t.checkout.courierHint} aside={fee} onChange={() => change({ courier: true })} />
      </div>
      {form.courier && (
        <div className={styles.address}>
          <TextField className={styles.wide} label={t.checkout.street} error={errors.street} value={form.street} maxLength={MAX_TEXT} autoComplete="address-line1" onChange={(street) => change({ street })} />
          <TextField label={t.checkout.number} error={errors.number} value={form.number} maxLength={MAX_TEXT} autoComplete="off" onChange={(number) => change({ number })} />
          <TextField className={styles.half} label={t.checkout.complement} hint={t.checkout.optional} value={form.complement} maxLength={MAX_TEXT} autoComplete="address-line2" onChange={(complement) => change({ complement })} />
          <TextField className={styles.half} label={t.checkout.district} error={errors.district} value={form.district} maxLength={MAX_TEXT} autoComplete="address-level3" onChange={(district) => change({ district })} />
          <TextField className={styles.half} label={t.checkout.city} error={errors.city} value={form.city} maxLength={MAX_TEXT} autoComplete="address-level2" onChange={(city) => change({ city })} />
          <SelectField label={t.checkout.state} error={errors.state} value={form.state} autoComplete="address-level1" onChange={(state) => change({ state })}>
            <option value="" />
            {STATES.map((state) => (
              <option key={state}>{state}</option>
            ))}
          </SelectField>
          <TextField
            label={t.checkout.postalCode}
            error={errors.postalCode}
            value={form.postalCode}
            inputMode="numeric"
            autoComplete="postal-code"
            placeholder="00000-000"
            onChange={(code) => change({ postalCode: groupPostalCode(code) })}
          />
        </div>
      )}
    </fieldset>
  );
}

export function ExtraFields({ form, change, tipOf }: Omit<Props, "errors"> & { tipOf: (percent: number) => string }) {
  const { t } = useLocale();
  return (
    <>
      <fieldset className={styles.section}>
        <legend>
          <h2>{t.checkout.tip}</h2>
        </legend>
        <div className={styles.tips}>
          {TIPS.map((percent) => (
            <Pick
              key={percent}
              type="radio"
              name="tip"
              value={String(percent)}
              checked={form.tipPercent === percent}
              label={percent === 0 ? t.checkout.noTip : `${percent}%`}
              aside={percent === 0 ? undefined : tipOf(percent)}
              onChange={() => change({ tipPercent: percent })}
            />
          ))}
        </div>
      </fieldset>
      <div className={styles.section}>
        <TextField label={t.checkout.note} hint={t.checkout.optional} value={form.note} maxLength={MAX_NOTE} onChange={(note) => change({ note })} />
      </div>
    </>
  );
}
