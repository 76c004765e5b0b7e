import { useState } from "react";
import { Problem } from "../../api/http";
import { useCancel } from "../../api/queries";
import { MAX_NOTE, type Order } from "../../api/types";
import { Button } from "../../ui/Button";
import { Dialog } from "../../ui/Dialog";
import { Pick, TextField } from "../../ui/Field";
import { useLocale } from "../../ui/locale";
import { Notice, useErrorText } from "../../ui/Notice";
import styles from "./CancelDialog.module.css";

const REASONS = ["mind", "mistake", "slow", "other"] as const;

export function CancelDialog({ order, token, onClose }: { order: Order; token: string | null; onClose: () => void }) {
  const { t } = useLocale();
  const errorText = useErrorText();
  const cancel = useCancel(order.orderId, token);
  const [reason, setReason] = useState<(typeof REASONS)[number]>("mind");
  const [words, setWords] = useState("");
  const stale = cancel.error instanceof Problem && cancel.error.status === 412;
  const submit = () =>
    cancel.mutate(
      { revision: order.revision, reason: (reason === "other" && words.trim()) || t.order.reasons[reason] },
      { onSuccess: onClose },
    );
  return (
    <Dialog title={t.order.cancelTitle} onClose={onClose}>
      <p>{t.order.cancelLead}</p>
      <fieldset className={styles.reasons}>
        <legend>{t.order.reason}</legend>
        {REASONS.map((code) => (
          <Pick key={code} type="radio" name="reason" value={code} checked={reason === code} label={t.order.reasons[code]} onChange={() => setReason(code)} />
        ))}
      </fieldset>
      {reason === "other" && <TextField label={t.order.reason} hint={t.checkout.optional} value={words} maxLength={MAX_NOTE} onChange={setWords} />}
      {cancel.error && (
        <Notice tone={stale ? "warn" : "bad"} title={t.order.cancelFailed}>
          {stale ? t.order.conflict : errorText(cancel.error)}
        </Notice>
      )}
      <div className={styles.foot}>
        <Button kind="plain" onClick={onClose}>
          {t.order.keep}
        </Button>
        <Button kind="danger" busy={cancel.isPending} disabled={!order.actions.includes("cancel")} onClick={submit}>
          {t.order.cancel}
        </Button>
      </div>
    </Dialog>
  );
}
