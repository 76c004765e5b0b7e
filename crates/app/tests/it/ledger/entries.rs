//! Posting, batches, reversals, accounts.

use std::sync::Arc;

use app::Instant;
use app::ledger::views::{OpenAccount, PostBatch, ReverseEntry};
use app::ledger::{ListEntries, PostError};
use domain::Currency;
use store::memory::MemoryStore;

use super::books::{Books, open, transfer};

fn bank(amount: i64) -> app::ledger::views::PostEntry {
    transfer("income:unknown", "assets:bank", amount, Currency::BRL, 1_760_000_000_000)
}

#[tokio::test]
async fn no_row_of_a_batch_is_too_large_for_any_store() {
    let store = Arc::new(MemoryStore::new());
    let ledger = open(store.clone(), "UTC", 0).await;
    let mut entry = transfer("income:sales", "assets:bank", 5, Currency::BRL, 1_760_000_000_000);
    entry.description = "é".repeat(280);
    entry.metadata = (0..10).map(|n| (format!("name {n}"), "x".repeat(200))).collect();
    let batch = PostBatch { entries: vec![entry; 600] };
    let posted = ledger.post_batch(batch, None).await.unwrap().answer;
    let table = app::tables().into_iter().find(|table| table.name == "ledger_entries").unwrap();
    let store: Arc<dyn store::Store> = store;
    let rows = store.query(store::Query::table(table)).await.unwrap().rows;
    assert!(rows.len() > 2 && rows.iter().all(|row| row.size_bytes() < 400_000), "{}", rows.len());
    assert_eq!(rows.iter().filter_map(|row| row.int("entries")).sum::<i64>(), 600);
    // Every entry has its id, also the last one.
    assert_eq!(ledger.show(&posted.last).await.unwrap().description, "é".repeat(280));
    assert_eq!(ledger.consolidate().await.unwrap(), 600);
    assert_eq!(ledger.verify().await.unwrap().differences, Vec::<String>::new());
}

#[tokio::test]
async fn the_same_key_posts_once_and_another_body_is_refused() {
    let ledger = open(Arc::new(MemoryStore::new()), "America/Sao_Paulo", 0).await;
    let mut posts = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let ledger = ledger.clone();
        posts.spawn(async move { ledger.post(bank(100), Some("k")).await.unwrap() });
    }
    let answers = posts.join_all().await;
    assert_eq!(answers.iter().filter(|accepted| !accepted.replayed).count(), 1);
    assert!(answers.iter().all(|accepted| accepted.answer.id == answers[0].answer.id));
    assert!(matches!(ledger.post(bank(101), Some("k")).await, Err(PostError::KeyReused)));
    assert!(matches!(ledger.post(bank(100), Some("é")).await, Err(PostError::Key)));

    let batch = || PostBatch { entries: vec![bank(1), bank(2)] };
    let first = ledger.post_batch(batch(), Some("k")).await.unwrap();
    let again = ledger.post_batch(batch(), Some("k")).await.unwrap();
    assert!(again.replayed && again.answer.first == first.answer.first && again.answer.entries == 2);
    let other = PostBatch { entries: vec![bank(1)] };
    assert!(matches!(ledger.post_batch(other, Some("k")).await, Err(PostError::KeyReused)));
    assert_eq!(ledger.consolidate().await.unwrap(), 3);
    assert_eq!(ledger.verify().await.unwrap().differences, Vec::<String>::new());
}

#[tokio::test]
async fn an_entry_is_reversed_once_however_many_try() {
    let ledger = open(Arc::new(MemoryStore::new()), "America/Sao_Paulo", 0).await;
    for key in [None, Some("order 1")] {
        let entry = ledger.post(bank(700), key).await.unwrap().answer;
        let mut tries = tokio::task::JoinSet::new();
        for at in 0..20 {
            let (ledger, id) = (ledger.clone(), entry.id.clone());
            tries.spawn(async move {
                let command =
                    ReverseEntry { reason: format!("reason {at}"), effective_at: Some(Instant(1_760_000_000_001)) };
                ledger.reverse(&id, command).await
            });
        }
        let done: Vec<_> = tries.join_all().await;
        let first: Vec<_> = done.iter().filter_map(|tried| tried.as_ref().ok()).collect();
        assert_eq!(first.len(), 1);
        let refused =
            done.iter().filter(|tried| matches!(tried, Err(PostError::Reversed(by)) if *by == first[0].answer.id));
        assert_eq!(refused.count(), 19);
        let reason = first[0].answer.reason.clone().unwrap();
        let again = ReverseEntry { reason, effective_at: Some(Instant(1_760_000_000_001)) };
        let again = ledger.reverse(&entry.id, again).await.unwrap();
        assert!(again.replayed);
        let shown = ledger.show(&entry.id).await.unwrap();
        assert_eq!(shown.reversed_by.as_ref(), Some(&first[0].answer.id));
        assert_eq!(shown.postings[0].amount, -first[0].answer.postings[0].amount);
    }
    let none = ReverseEntry { reason: "x".into(), effective_at: None };
    assert!(matches!(ledger.reverse("ent_0000000000000", none).await, Err(PostError::NotFound(_))));
}

#[tokio::test]
async fn accounts_that_are_unknown_closed_or_of_another_currency_take_no_entry() {
    let ledger = open(Arc::new(MemoryStore::new()), "America/Sao_Paulo", 0).await;
    let rent = || transfer("assets:bank", "expenses:rent", 5, Currency::BRL, 1_760_000_000_000);
    assert!(
        matches!(ledger.post(rent(), None).await, Err(PostError::UnknownAccount { pointer, .. }) if pointer == "/postings/0/account")
    );
    let batch = PostBatch { entries: vec![bank(1), rent()] };
    let refused = ledger.post_batch(batch, None).await;
    assert!(
        matches!(refused, Err(PostError::UnknownAccount { pointer, .. }) if pointer == "/entries/1/postings/0/account")
    );
    let command = OpenAccount { code: "expenses:rent".into(), name: "Rent".into(), currency: Some(Currency::BRL) };
    let opened = ledger.open_account(command.clone()).await.unwrap();
    assert_eq!(ledger.open_account(command).await.unwrap(), opened);
    ledger.post(rent(), None).await.unwrap();
    let dollars = transfer("assets:bank", "expenses:rent", 5, Currency::USD, 1_760_000_000_000);
    assert!(matches!(ledger.post(dollars, None).await, Err(PostError::OtherCurrency { .. })));
    assert!(ledger.close_account("expenses:rent", true).await.unwrap().closed);
    assert!(matches!(ledger.post(rent(), None).await, Err(PostError::ClosedAccount { .. })));
    ledger.close_account("expenses:rent", false).await.unwrap();
    ledger.post(rent(), None).await.unwrap();
    assert!(ledger.close_account("assets:bank", true).await.is_err());
    assert!(ledger.close_account("expenses:none", true).await.is_err());
    for code in ["rent", "Expenses:rent", "expenses:"] {
        let command = OpenAccount { code: code.into(), name: "x".into(), currency: None };
        assert!(ledger.open_account(command).await.is_err(), "{code}");
    }
}

#[tokio::test]
async fn a_batch_has_limits_and_is_all_or_nothing() {
    let ledger = open(Arc::new(MemoryStore::new()), "America/Sao_Paulo", 0).await;
    let none = ledger.post_batch(PostBatch { entries: Vec::new() }, None).await;
    assert!(matches!(none, Err(PostError::Count { found: 0, .. })));
    let many = PostBatch { entries: (0..10_001).map(|_| bank(1)).collect() };
    assert!(matches!(ledger.post_batch(many, None).await, Err(PostError::Count { found: 10_001, .. })));
    let mut long = bank(1);
    for at in 0..20 {
        long.metadata.insert(format!("name {at}"), "x".repeat(280));
    }
    let long = PostBatch { entries: (0..1_000).map(|_| long.clone()).collect() };
    assert!(matches!(ledger.post_batch(long, None).await, Err(PostError::Size { .. })));
    assert_eq!(ledger.consolidate().await.unwrap(), 0);
    let most = PostBatch { entries: (0..10_000).map(bank_plus).collect() };
    let accepted = ledger.post_batch(most, None).await.unwrap().answer;
    assert_eq!(ledger.show(&accepted.last).await.unwrap().postings[0].amount, 10_000);
    assert_eq!(ledger.consolidate().await.unwrap(), 10_000);
}

fn bank_plus(at: i64) -> app::ledger::views::PostEntry {
    bank(1 + at)
}

#[tokio::test]
async fn entries_are_listed_newest_first_across_rows_and_pages() {
    let ledger = open(Arc::new(MemoryStore::new()), "America/Sao_Paulo", 0).await;
    let mut books = Books::default();
    for at in 0..5 {
        books.post(&ledger, bank(10 + at)).await;
        books.post_batch(&ledger, (0..7).map(|n| bank(100 * (at + 1) + n)).collect()).await;
    }
    let expected: Vec<i64> =
        books.lines.iter().filter(|line| line.0 == "assets:bank").map(|line| line.3).rev().collect();
    for limit in [1, 3, 7, 200] {
        let mut command = ListEntries { account: Some("assets:bank".into()), cursor: None, limit: Some(limit) };
        let mut found = Vec::new();
        loop {
            let page = ledger.list(&command).await.unwrap();
            found.extend(page.items.iter().map(|entry| entry.postings[0].amount));
            let Some(next) = page.next else { break };
            command.cursor = Some(next);
        }
        assert_eq!(found, expected, "limit {limit}");
    }
    let other = ListEntries { account: Some("assets:cash".into()), ..ListEntries::default() };
    assert!(ledger.list(&other).await.unwrap().items.is_empty());
}

#[tokio::test]
async fn what_payments_post_is_not_undone_by_hand() {
    let store = Arc::new(MemoryStore::new());
    let ledger = open(store.clone(), "America/Sao_Paulo", 0).await;
    let of = domain::bookkeeping::Of {
        order: "ord_1",
        attempt: 1,
        provider: "simulator",
        currency: Currency::BRL,
        at: 1_760_000_000_000,
    };
    let fee = domain::bookkeeping::fee(of, 250).unwrap().unwrap();
    let mut batch = store::Batch::new();
    let id = app::ledger::post(&mut batch, &fee);
    store::Store::commit(&*store, batch).await.unwrap();
    let command = ReverseEntry { reason: "a guess".into(), effective_at: None };
    let refused = ledger.reverse(&format!("ent_{}", store::id::encode(id)), command).await;
    assert!(matches!(refused, Err(PostError::Automatic("fee"))), "{refused:?}");
    ledger.consolidate().await.unwrap();
    assert_eq!(ledger.verify().await.unwrap().differences, Vec::<String>::new());
}
