//! What happens in a round: who does what when, what the weather is like, and where the process dies. All from a seed.

use std::fmt;

use app::{LatePaymentPolicy, LatePaymentSettings, Settings};
use domain::order::Party;
use domain::payment::CaptureOn;
use store::crash::Survives;

use super::chance::Chance;

/// Orders of one round.
const SLOTS: u64 = 4;
/// How long an order may stay unpaid.
const WINDOW_MS: i64 = 90_000;

/// Everything about a round.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) seed: u64,
    pub(super) shop: Shop,
    pub(super) steps: Vec<Step>,
    pub(super) crashes: Vec<Crash>,
}

/// How the shop is set up.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shop {
    on_dispatch: bool,
    reserve_again: bool,
    webhook_delay_ms: i64,
}

/// Where one life ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Crash {
    /// After how many commits of the life.
    pub(super) after: usize,
    /// Whether the last of them is lost as well.
    pub(super) before: bool,
    pub(super) survives: Survives,
    /// How long nothing runs.
    pub(super) down_ms: i64,
}

/// What happens next, after a pause.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) pause_ms: u64,
    pub(super) act: Act,
}

/// What somebody does. Orders are named by their slot; what is not possible there and then changes nothing.
#[derive(Debug, Clone)]
pub(super) enum Act {
    Place {
        slot: u64,
        card: Option<&'static str>,
        quantity: u32,
        courier: bool,
        tip: i64,
    },
    PayAgain {
        slot: u64,
        card: &'static str,
    },
    PayPix {
        slot: u64,
    },
    Authenticate {
        slot: u64,
        approve: bool,
    },
    /// The kitchen's next step.
    Cook {
        slot: u64,
    },
    Cancel {
        slot: u64,
        by: Party,
    },
    Refund {
        slot: u64,
        how: Back,
        key: u64,
    },
    RetryRefunds {
        slot: u64,
    },
    /// The staff takes what is held.
    Capture {
        slot: u64,
    },
    /// The staff calls off what is held.
    Void {
        slot: u64,
    },
    /// A person has looked at it.
    Resolve {
        slot: u64,
    },
    HoldEnds {
        slot: u64,
    },
    Dispute {
        slot: u64,
    },
    Decide {
        slot: u64,
        won: bool,
    },
    PayOut,
    /// How many calls of the provider, and how many of its webhooks, of a hundred go wrong from here on.
    Weather {
        calls: u64,
        webhooks: u64,
    },
    /// The consolidation stops or goes on.
    Consolidation {
        running: bool,
    },
    Rebuild,
    /// The process is stopped in good order, and started again later.
    Stop {
        down_ms: i64,
    },
}

/// How a refund is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Back {
    Amount(i64),
    /// Units of the first line, and whether they go back to the shelf.
    Line {
        quantity: u32,
        restock: bool,
    },
    /// All that is left.
    Rest,
}

/// What cards do; see the simulator's `Behaviour`.
const CARDS: [&str; 18] = [
    "4242424242424242",
    "4242424242424242",
    "4242424242424242",
    "4242424242424242",
    "4000000000000002",
    "4000000000009995",
    "4000000000009995",
    "4000002500003155",
    "4000000000100018",
    "4000000000100026",
    "4000000000100034",
    "4000000000100042",
    "4000000000100059",
    "4000000000100067",
    "4000000000007726",
    "4000000000007726",
    "4000000000005126",
    "4000000000000259",
];

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:?}", self.shop)?;
        for step in &self.steps {
            writeln!(f, "  after {} ms {:?}", step.pause_ms, step.act)?;
        }
        for crash in &self.crashes {
            writeln!(f, "  {crash:?}")?;
        }
        Ok(())
    }
}

impl Plan {
    pub(super) fn new(seed: u64) -> Plan {
        let mut chance = Chance::new(seed);
        let shop = Shop {
            on_dispatch: chance.percent(50),
            reserve_again: chance.percent(60),
            webhook_delay_ms: [0, 0, 300, 3_000][chance.below(4) as usize],
        };
        let orders = 1 + chance.below(SLOTS);
        let mut steps = Vec::new();
        if chance.percent(60) {
            steps.push(Step { pause_ms: 0, act: weather(&mut chance) });
        }
        for slot in 0..orders {
            steps.push(Step { pause_ms: pause(&mut chance), act: place(slot, &mut chance) });
        }
        for key in 0..8 + chance.below(52) {
            let slot = chance.below(orders);
            let act = act(slot, key, &mut chance);
            let pause_ms = match act {
                // Late, when the order has expired.
                Act::PayPix { .. } if chance.percent(40) => WINDOW_MS.unsigned_abs() + 5_000,
                _ => pause(&mut chance),
            };
            steps.push(Step { pause_ms, act });
        }
        // Orders are placed in the midst of it, too.
        let mut mixed = Vec::new();
        for step in steps {
            let at = match step.act {
                Act::Place { .. } => chance.below(mixed.len() as u64 + 1) as usize,
                _ => mixed.len(),
            };
            mixed.insert(at, step);
        }
        let survivals = [Survives::Durable, Survives::Half, Survives::Everything];
        let crashes = (0..chance.below(6)).map(|_| Crash {
            after: chance.below(160) as usize,
            before: chance.percent(50),
            survives: survivals[chance.below(3) as usize],
            down_ms: if chance.percent(80) { 500 } else { chance.below(200_000) as i64 },
        });
        let crashes = crashes.collect();
        Plan { seed, shop, steps: mixed, crashes }
    }

    /// The settings of the application.
    pub(super) fn settings(&self) -> Settings {
        let mut settings = Settings { payment_window_ms: WINDOW_MS, poll_after_ms: 5_000, ..Settings::default() };
        settings.capture_on = if self.shop.on_dispatch { CaptureOn::Dispatch } else { CaptureOn::Acceptance };
        let policy = match self.shop.reserve_again {
            true => LatePaymentPolicy::ReserveAgain,
            false => LatePaymentPolicy::Refund,
        };
        settings.late_payment = LatePaymentSettings { policy, within_ms: 300_000 };
        settings.reconcile_after_ms = 120_000;
        settings.simulator.pix_paid_after_ms = None;
        settings.simulator.webhook_delay_ms = self.shop.webhook_delay_ms;
        settings.simulator.late_webhook_ms = 40_000;
        settings.simulator.payout_delay_ms = 1_000;
        settings.courier.pick_up_after_ms = 1_000;
        settings.courier.deliver_after_ms = 2_000;
        settings
    }
}

fn pause(chance: &mut Chance) -> u64 {
    match chance.below(20) {
        0..7 => 0,
        7..14 => chance.below(100),
        14..18 => chance.below(8_000),
        18 => chance.below(60_000),
        _ => chance.below(180_000),
    }
}

fn weather(chance: &mut Chance) -> Act {
    let mut bad = || [0, 0, 10, 30, 60, 100][chance.below(6) as usize];
    Act::Weather { calls: bad(), webhooks: bad() }
}

fn place(slot: u64, chance: &mut Chance) -> Act {
    let card = (!chance.percent(30)).then(|| CARDS[chance.below(CARDS.len() as u64) as usize]);
    let quantity = 1 + u32::try_from(chance.below(3)).unwrap();
    let tip = if chance.percent(40) { chance.below(900) as i64 } else { 0 };
    Act::Place { slot, card, quantity, courier: chance.percent(40), tip }
}

fn back(chance: &mut Chance) -> Back {
    match chance.below(4) {
        0 => Back::Rest,
        1 => Back::Line { quantity: 1, restock: chance.percent(60) },
        _ => Back::Amount(1 + chance.below(2_600) as i64),
    }
}

fn act(slot: u64, key: u64, chance: &mut Chance) -> Act {
    match chance.below(56) {
        0..14 => Act::Cook { slot },
        14..22 => Act::Refund { slot, how: back(chance), key },
        22..24 => Act::RetryRefunds { slot },
        24..28 => Act::PayPix { slot },
        28..30 => Act::Authenticate { slot, approve: chance.percent(70) },
        30..33 if chance.percent(60) => Act::PayAgain { slot, card: CARDS[0] },
        30..33 => Act::PayAgain { slot, card: CARDS[chance.below(CARDS.len() as u64) as usize] },
        33..36 => Act::Cancel { slot, by: if chance.percent(50) { Party::Customer } else { Party::Staff } },
        36..39 => Act::Dispute { slot },
        39..42 => Act::Decide { slot, won: chance.percent(50) },
        42 => Act::HoldEnds { slot },
        43 => Act::Capture { slot },
        44 => Act::Void { slot },
        45 => Act::Resolve { slot },
        46..49 => Act::PayOut,
        49..52 => weather(chance),
        52 => Act::Consolidation { running: chance.percent(60) },
        53 => Act::Rebuild,
        _ => Act::Stop { down_ms: if chance.percent(50) { 100 } else { chance.below(150_000) as i64 } },
    }
}
