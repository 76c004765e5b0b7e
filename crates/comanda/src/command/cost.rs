//! `comanda cost`: what an installation on AWS costs, from counted requests and a dated price table (`deploy/cost.json`).

mod decimal;

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::{Deserialize, Serialize};

use crate::cli;
use crate::failure::{Failure, Kind};
use crate::output::Output;
use decimal::Decimal;

/// The counts and the prices.
const TABLE: &str = include_str!("../../../../deploy/cost.json");
/// Days of a year and months of it: a month has 365/12 days.
const DAYS: u64 = 365;
const MONTHS: u64 = 12;
/// Orders that the variable part is told for.
const THOUSAND: u64 = 1_000;

const FORMULA: &str =
    "a month = at rest + orders a day x 365/12 x (sum of count x price) + stored orders x (sum of kept x price)";

/// The file.
#[derive(Debug, Deserialize)]
struct Table {
    date: String,
    about: String,
    order: String,
    each: Vec<Count>,
    /// Of one refund.
    refund: Vec<Count>,
    kept: Vec<Count>,
    rest: Vec<Count>,
    regions: BTreeMap<String, BTreeMap<String, Price>>,
}

/// How much of something one order, one stored order or one month takes.
#[derive(Debug, Deserialize)]
struct Count {
    service: String,
    what: String,
    count: Decimal,
    /// The name of its price.
    price: String,
    how: String,
}

/// `usd` for `per` units, from that page.
#[derive(Debug, Clone, Deserialize)]
struct Price {
    usd: Decimal,
    per: Decimal,
    page: String,
    seen: bool,
    /// Who else states it, and when.
    #[serde(default)]
    also: String,
}

/// What `comanda cost` says.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Estimate {
    region: String,
    orders_per_day: u64,
    prices_of: String,
    about: String,
    order: String,
    formula: &'static str,
    /// A month without an order.
    at_rest: Vec<Line>,
    /// Each order.
    per_order: Vec<Line>,
    /// Each refund.
    per_refund: Vec<Line>,
    /// Each stored order, for each month that it is kept.
    per_stored_order: Vec<Line>,
    /// In dollars.
    at_rest_usd: Decimal,
    per_1000_orders_usd: Decimal,
    per_1000_refunds_usd: Decimal,
    /// What a month's orders cost in each month that they are kept.
    storage_of_a_month_usd: Decimal,
    month_usd: Decimal,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    service: String,
    what: String,
    count: Decimal,
    usd: Decimal,
    per: Decimal,
    page: String,
    seen: bool,
    also: String,
    how: String,
    /// Of the count: of one month at rest, or of a thousand orders.
    amount_usd: Decimal,
}

/// Prints the estimate.
pub(crate) fn run(arguments: &cli::Cost, output: Output) -> Result<(), Failure> {
    let table: Table = serde_json::from_str(TABLE).map_err(anyhow::Error::from)?;
    let estimate = estimate(table, &arguments.region, arguments.orders_per_day)?;
    output.say(&estimate, describe(&estimate))
}

fn estimate(table: Table, region: &str, orders_per_day: u64) -> Result<Estimate, Failure> {
    let known: Vec<&str> = table.regions.keys().map(String::as_str).collect();
    let unknown =
        || Failure::new(Kind::Usage, format!("there are no prices of `{region}`; there are of {}", known.join(", ")));
    let prices = table.regions.get(region).ok_or_else(unknown)?;
    let lines = |counts: Vec<Count>, times: u64| counts.into_iter().map(|count| line(count, prices, times)).collect();
    let at_rest: Vec<Line> = collect(lines(table.rest, 1))?;
    let per_order: Vec<Line> = collect(lines(table.each, THOUSAND))?;
    let per_refund: Vec<Line> = collect(lines(table.refund, THOUSAND))?;
    let refunds = sum(&per_refund)?;
    let per_stored_order: Vec<Line> = collect(lines(table.kept, THOUSAND))?;
    let rest = sum(&at_rest)?;
    let thousand = sum(&per_order)?;
    let of_month = |thousand: Decimal| thousand.scale(orders_per_day.checked_mul(DAYS)?, THOUSAND * MONTHS);
    let orders = of_month(thousand).ok_or_else(too_large)?;
    let storage = of_month(sum(&per_stored_order)?).ok_or_else(too_large)?;
    let month = rest.add(orders).and_then(|sum| sum.add(storage)).ok_or_else(too_large)?;
    Ok(Estimate {
        region: region.to_owned(),
        orders_per_day,
        prices_of: table.date,
        about: table.about,
        order: table.order,
        formula: FORMULA,
        at_rest,
        per_order,
        per_refund,
        per_stored_order,
        at_rest_usd: rest,
        per_1000_orders_usd: thousand,
        per_1000_refunds_usd: refunds,
        storage_of_a_month_usd: storage,
        month_usd: month,
    })
}

fn collect(lines: Vec<Option<Line>>) -> Result<Vec<Line>, Failure> {
    lines.into_iter().collect::<Option<_>>().ok_or_else(too_large)
}

fn too_large() -> Failure {
    Failure::new(Kind::Usage, "the amounts grow too large, or a price is missing; use fewer orders")
}

/// `None` if its price is missing or the amount too large.
fn line(count: Count, prices: &BTreeMap<String, Price>, times: u64) -> Option<Line> {
    let Price { usd, per, page, seen, also } = prices.get(&count.price)?.clone();
    let amount_usd = count.count.times(usd)?.over(per)?.scale(times, 1)?;
    let Count { service, what, count, how, .. } = count;
    Some(Line { service, what, count, usd, per, page, seen, also, how, amount_usd })
}

fn sum(lines: &[Line]) -> Result<Decimal, Failure> {
    lines.iter().try_fold(Decimal::ZERO, |sum, line| sum.add(line.amount_usd)).ok_or_else(too_large)
}

fn describe(estimate: &Estimate) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "Comanda on AWS in {}, {} orders a day, prices of {} in US dollars.\n{}\n",
        estimate.region, estimate.orders_per_day, estimate.prices_of, estimate.order
    );
    section(&mut text, "At rest, a month", &estimate.at_rest, estimate.at_rest_usd);
    section(&mut text, "A thousand orders", &estimate.per_order, estimate.per_1000_orders_usd);
    section(&mut text, "A thousand refunds", &estimate.per_refund, estimate.per_1000_refunds_usd);
    let _ = writeln!(text, "A month's orders, stored, each month: {:>12}\n", estimate.storage_of_a_month_usd.cents());
    let _ = writeln!(text, "A month of {} orders a day: {:>12}\n", estimate.orders_per_day, estimate.month_usd.cents());
    let _ = writeln!(text, "{}", estimate.formula);
    text.push_str(
        "~ marks prices that nobody has read on the price page of AWS for this table (--json names who else states them): look\n\
         them up. Refunds are not in the month. No free tiers, no tax.",
    );
    text
}

fn section(text: &mut String, title: &str, lines: &[Line], total: Decimal) {
    let _ = writeln!(text, "{title}");
    for line in lines {
        let price = format!("{}{} / {}", if line.seen { "" } else { "~" }, line.usd, line.per);
        let _ = writeln!(
            text,
            "  {:<16} {:<26} {:>12} x {:<20} {:>10}",
            line.service,
            line.what,
            line.count.to_string(),
            price,
            line.amount_usd.cents()
        );
    }
    let _ = writeln!(text, "  {:<16} {:<26} {:>12}   {:<20} {:>10}\n", "", "", "", "", total.cents());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        serde_json::from_str(TABLE).unwrap()
    }

    fn usd(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn every_region_prices_everything() {
        let table = table();
        for region in table.regions.keys().cloned().collect::<Vec<_>>() {
            let estimate = estimate(self::table(), &region, 1_000).unwrap();
            let parts: Vec<Decimal> = estimate.at_rest.iter().map(|line| line.amount_usd).collect();
            assert!(parts.iter().all(|part| *part > Decimal::ZERO), "{region}");
            assert!(estimate.per_1000_orders_usd > usd("0.1") && estimate.per_1000_orders_usd < usd("10"), "{region}");
        }
    }

    #[test]
    fn a_month_is_rest_and_orders_and_storage() {
        let price = |usd: &str, per: &str| Price {
            usd: usd.parse().unwrap(),
            per: per.parse().unwrap(),
            page: String::new(),
            seen: true,
            also: String::new(),
        };
        let count = |count: &str, price: &str| Count {
            service: String::new(),
            what: String::new(),
            count: count.parse().unwrap(),
            price: price.into(),
            how: String::new(),
        };
        let prices = [("call", price("25", "1000000")), ("gb", price("0.45", "1")), ("key", price("1.00", "1"))];
        let table = Table {
            date: String::new(),
            about: String::new(),
            order: String::new(),
            each: vec![count("14", "call")],
            refund: vec![count("4", "call")],
            kept: vec![count("0.00001", "gb")],
            rest: vec![count("2", "key")],
            regions: [("here".into(), prices.into_iter().map(|(n, p)| (n.to_owned(), p)).collect())].into(),
        };
        let estimate = super::estimate(table, "here", 1_200).unwrap();
        assert_eq!(estimate.at_rest_usd, usd("2"));
        assert_eq!(estimate.per_1000_orders_usd, usd("0.35"));
        // 36,500 orders.
        assert_eq!(estimate.storage_of_a_month_usd, usd("0.16425"));
        assert_eq!(estimate.month_usd, usd("2").add(usd("12.775")).unwrap().add(usd("0.16425")).unwrap());
    }

    /// The amounts in 10^-12 dollars, from the texts of the table, by arithmetic of its own.
    #[test]
    fn the_estimate_is_the_sum_of_what_is_counted() {
        fn parse(text: &str) -> (i128, u32) {
            let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
            (format!("{whole}{rest}").parse().unwrap(), u32::try_from(rest.len()).unwrap())
        }
        let table: serde_json::Value = serde_json::from_str(TABLE).unwrap();
        for (region, prices) in table["regions"].as_object().unwrap() {
            let estimate = estimate(self::table(), region, 1_000).unwrap();
            for (part, found) in [("each", estimate.per_1000_orders_usd), ("refund", estimate.per_1000_refunds_usd)] {
                let cost = |line: &serde_json::Value| {
                    let price = &prices[line["price"].as_str().unwrap()];
                    let ((count, a), (usd, b)) =
                        (parse(line["count"].as_str().unwrap()), parse(price["usd"].as_str().unwrap()));
                    let per: i128 = price["per"].as_str().unwrap().parse().unwrap();
                    count * usd * 1_000 * 10_i128.pow(12) / per / 10_i128.pow(a + b)
                };
                let sum: i128 = table[part].as_array().unwrap().iter().map(cost).sum();
                let (digits, places) = parse(&found.to_string());
                let found = digits * 10_i128.pow(12 - places);
                assert!((found - sum).abs() <= 1_000, "{region} {part}: {found} and {sum}");
            }
        }
    }

    #[test]
    fn what_stands_in_the_template_is_counted() {
        let template = include_str!("../../../../deploy/template.yaml");
        let there = |kind: &str| template.lines().filter(|line| line.trim() == format!("Type: {kind}")).count();
        let table = table();
        let counted = |what: &str| table.rest.iter().find(|count| count.what == what).unwrap().count;
        for (what, kind) in [
            ("keys", "AWS::KMS::Key"),
            ("secrets", "AWS::SecretsManager::Secret"),
            ("alarms", "AWS::CloudWatch::Alarm"),
            ("dashboards", "AWS::CloudWatch::Dashboard"),
        ] {
            assert_eq!(counted(what), usd(&there(kind).to_string()), "{what} in deploy/cost.json");
        }
    }

    #[test]
    fn an_unknown_region_and_too_many_orders_are_told() {
        assert!(estimate(table(), "mars-1", 1).unwrap_err().error.to_string().contains("sa-east-1"));
        assert!(estimate(table(), "us-east-1", u64::MAX).is_err());
    }
}
