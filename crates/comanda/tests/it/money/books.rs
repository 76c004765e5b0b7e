//! What must hold in the end: every book agrees with every other, to the cent and to the unit.

use std::collections::BTreeMap;

use app::commands::{ListMails, ListPage};
use app::provider::{IntentStatus, Movement, MovementKind, Movements, PaymentProvider};
use app::views::{Difference, MailView};
use domain::notification::Notice;
use domain::order::OrderStatus;
use domain::payment::CaptureOn;
use domain::refund::RefundStatus;

use super::Figures;
use super::live::{LOOKED_AT, Progress, SKU};
use crate::in_process::{World, rows};

/// What the sample catalogue begins with.
const STOCK: i64 = 200;

/// What all the checks look at.
struct Found<'a> {
    world: &'a World,
    orders: Vec<&'a String>,
    movements: Vec<Movement>,
    balances: BTreeMap<String, i64>,
    wrong: Vec<String>,
}

/// Whether the books agree: what does not is told, else how much happened.
pub(super) async fn agree(world: &World, progress: &Progress) -> Result<Figures, String> {
    let mut found = Found {
        world,
        orders: progress.orders.values().collect(),
        movements: movements(world).await,
        balances: BTreeMap::new(),
        wrong: Vec::new(),
    };
    found.audit().await?;
    found.ledger().await?;
    found.provider().await;
    found.stock().await;
    found.numbers("receipts").await;
    found.numbers("credit_notes").await;
    found.mails().await;
    found.reconciliation().await;
    found.dead_letters();
    match found.wrong.is_empty() {
        true => Ok(found.figures().await),
        false => Err(found.wrong.join("\n")),
    }
}

async fn movements(world: &World) -> Vec<Movement> {
    let mut all = Vec::new();
    let mut cursor = None;
    loop {
        let page = world.simulator.movements(&Movements::Since(0), cursor).await.unwrap();
        all.extend(page.items);
        cursor = page.next;
        if cursor.is_none() {
            return all;
        }
    }
}

impl Found<'_> {
    async fn figures(&self) -> Figures {
        let mut figures = Figures::new();
        let mut add = |kind, n: usize| *figures.entry(kind).or_default() += n;
        for id in &self.orders {
            let payment = self.world.app.payment(id).await.unwrap();
            let order = self.world.app.order(id).await.unwrap();
            let refunds = self.world.app.refunds_of(id).await.unwrap().items;
            let mails = ListMails { order: Some((*id).clone()), ..ListMails::default() };
            let mails = self.world.app.mails(mails).await.unwrap().items;
            let captured = payment.payment.captured > 0;
            add("captured", captured.into());
            add("confirmed on dispatch", (captured && payment.capture_on == CaptureOn::Dispatch).into());
            add("refused and paid again", (captured && payment.payment.attempts > 1).into());
            add("refunds", refunds.iter().filter(|refund| refund.status == RefundStatus::Succeeded).count());
            add("failed refunds", refunds.iter().filter(|refund| refund.status == RefundStatus::Failed).count());
            add("disputes", payment.disputes.len());
            add("expired", (order.status == OrderStatus::Expired).into());
            add("reopened", mails.iter().filter(|mail| mail.event == Notice::Reopened).count());
            add("cancelled", (order.status == OrderStatus::Cancelled).into());
        }
        add("payouts", self.movements.iter().filter(|line| line.kind == MovementKind::Payout).count());
        figures
    }

    fn expect(&mut self, what: &str, ours: i64, expected: i64) {
        if ours != expected {
            self.wrong.push(format!("{what}: {ours}, not {expected}"));
        }
    }

    async fn audit(&mut self) -> Result<(), String> {
        let report = self.world.app.audit().await.map_err(|error| error.to_string())?;
        for difference in &report.differences {
            if !self.is_for_a_person(difference).await {
                self.wrong.push(format!("audit: {} {} {}", difference.code, difference.subject, difference.detail));
            }
        }
        if !report.books_compared {
            self.wrong.push("the provider's books were not compared".into());
        }
        Ok(())
    }

    /// Money that could not be given back, or a hold that ended before the order left, is no mistake of ours, if a person
    /// was told.
    async fn is_for_a_person(&self, difference: &Difference) -> bool {
        let Ok(order) = self.world.app.order(&difference.subject).await else { return false };
        let looked_at = order.timeline.iter().any(|entry| entry.detail.as_deref() == Some(LOOKED_AT));
        let told = order.needs_attention.is_some() || looked_at;
        told && match difference.code.as_str() {
            "money-kept" | "hold-kept" => true,
            "served-without-payment" | "paid-without-receipt" => order.payment.captured == 0,
            _ => false,
        }
    }

    /// What is shown is what a rebuild shows; all accounts together are nothing; the provider's account is the provider's.
    async fn ledger(&mut self) -> Result<(), String> {
        let ledger = self.world.app.ledger();
        let problem = |error: app::ledger::ReportError| error.to_string();
        let found = ledger.verify().await.map_err(problem)?;
        self.wrong.extend(found.differences.iter().map(|difference| format!("verify: {difference}")));
        let all = (Some("2020-01-01"), None);
        let before = ledger.balances(all).await.map_err(problem)?;
        ledger.rebuild().await.map_err(problem)?;
        let after = ledger.balances(all).await.map_err(problem)?;
        let text = |view| serde_json::to_value(view).unwrap()["accounts"].to_string();
        if text(&before) != text(&after) {
            self.wrong.push(format!("a rebuild shows {}, before it was {}", text(&after), text(&before)));
        }
        for line in after.accounts {
            *self.balances.entry(line.account).or_default() += line.period.closing;
        }
        self.expect("all accounts together", self.balances.values().sum(), 0);
        let account: i64 = self.movements.iter().map(|line| line.amount - line.fee).sum();
        self.expect("our account with the provider", self.balance("assets:provider:simulator"), account);
        let of =
            |kind| self.movements.iter().filter(move |line| line.kind == kind).map(|line| line.amount).sum::<i64>();
        let (paid_out, fees) = (-of(MovementKind::Payout), self.movements.iter().map(|line| line.fee).sum());
        self.expect("on its way to the bank", self.balance("assets:payouts-in-transit"), paid_out);
        self.expect("the provider's fees", self.balance("expenses:provider-fees"), fees);
        Ok(())
    }

    fn balance(&self, account: &str) -> i64 {
        self.balances.get(account).copied().unwrap_or(0)
    }

    /// What the provider took and gave back is what our payments say; of orders that are over it holds nothing.
    async fn provider(&mut self) {
        let mut intents = Vec::new();
        let mut cursor = None;
        loop {
            let page = self.world.simulator.books(cursor).await.unwrap().unwrap();
            intents.extend(page.items);
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        for id in self.orders.clone() {
            let payment = self.world.app.payment(id).await.unwrap();
            let order = self.world.app.order(id).await.unwrap();
            let of_order = intents.iter().filter(|intent| intent.order_id == *id);
            let kept: i64 = of_order.clone().map(|intent| intent.captured - intent.refunded).sum();
            let ours = payment.payment.captured - payment.payment.refunded;
            self.expect(&format!("what is kept of {id} ({:?})", payment.payment.status), ours, kept);
            let holds = of_order.filter(|intent| intent.status == IntentStatus::Held).count() as i64;
            if order.needs_attention.is_none() && order.status.is_final() {
                self.expect(&format!("holds of {id}, {}", order.status.as_str()), holds, 0);
            }
        }
    }

    /// What is gone from the shelf is what orders took and did not bring back.
    async fn stock(&mut self) {
        let mut gone = 0;
        for id in self.orders.clone() {
            let order = self.world.app.order(id).await.unwrap();
            let cooked = order.timeline.iter().any(|entry| entry.status == OrderStatus::InPreparation);
            if !cooked && order.status.is_final() {
                continue;
            }
            gone += order.lines.iter().map(|line| line.quantity).sum::<i64>();
            let refunds = self.world.app.refunds_of(id).await.unwrap().items;
            let went = refunds.iter().filter(|refund| refund.credit_note.is_some());
            gone -= went
                .flat_map(|refund| &refund.lines)
                .filter(|line| line.restock)
                .map(|line| line.quantity)
                .sum::<i64>();
        }
        let stock = self.world.app.product(SKU).await.unwrap().stock;
        self.expect("on the shelf", stock.on_hand, STOCK - gone);
        self.expect("set apart", stock.reserved, 0);
    }

    /// Numbers begin at 1 and have no gap.
    async fn numbers(&mut self, table: &str) {
        let rows = rows(&*self.world.app.store(), table).await;
        let numbers: Vec<i64> = rows.iter().filter_map(|row| row.key().int()).collect();
        let expected: Vec<i64> = (1..).take(numbers.len()).collect();
        if numbers != expected {
            self.wrong.push(format!("the numbers of {table} are {numbers:?}"));
        }
    }

    /// Nobody is told twice.
    async fn mails(&mut self) {
        for id in self.orders.clone() {
            let list = ListMails { order: Some(id.clone()), ..ListMails::default() };
            let mails = self.world.app.mails(list).await.unwrap().items;
            let count = |notice: Notice| mails.iter().filter(|mail: &&MailView| mail.event == notice).count();
            let payment = self.world.app.payment(id).await.unwrap();
            let refunds = self.world.app.refunds_of(id).await.unwrap().items;
            for notice in domain::notification::ALL {
                let most = match notice {
                    Notice::PaymentRefused => payment.payment.attempts as usize,
                    Notice::Refunded => refunds.len(),
                    _ => 1,
                };
                if count(notice) > most {
                    self.wrong.push(format!("{id} was told {notice:?} {} times, {most} at most", count(notice)));
                }
            }
            let went = refunds.iter().filter(|refund| refund.status == RefundStatus::Succeeded).count();
            if count(Notice::Refunded) < went {
                self.wrong.push(format!("{id} was told of {} of {went} refunds", count(Notice::Refunded)));
            }
        }
    }

    async fn reconciliation(&mut self) {
        let page = self.world.app.reconciliation(ListPage::default()).await.unwrap();
        for line in page.items {
            self.wrong.push(format!("reconciliation: {line:?}"));
        }
    }

    /// A webhook that was refused three times is parked; nothing else is.
    fn dead_letters(&mut self) {
        for queue in self.world.engine.stats().queues {
            let dead = queue.queue.strip_suffix(runtime::DEAD);
            if dead.is_some_and(|queue| queue != "simulator-webhooks") && queue.ready > 0 {
                self.wrong.push(format!("{} messages in {}", queue.ready, queue.queue));
            }
        }
    }
}
