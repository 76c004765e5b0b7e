//! Bank statements come in, entries go out.

use std::sync::Arc;

use app::ledger::import::{DecimalMark, ImportError, ImportFormat, ImportOptions};
use app::ledger::{ExportFormat, Ledger};
use domain::Currency;
use store::memory::MemoryStore;

use super::books::{open, transfer};

const MARCH: &str = "Data;Histórico;Valor\n03/03/2026;PIX ANA;1.234,56\n03/03/2026;CAFÉ;-4,50\n03/03/2026;CAFÉ;-4,50\n";

fn comma() -> ImportOptions {
    ImportOptions { decimal: DecimalMark::Comma, ..ImportOptions::default() }
}

async fn bank(ledger: &Ledger) -> i64 {
    ledger.consolidate().await.unwrap();
    ledger.statement("assets:bank", None, (Some("2026-03-01"), Some("2026-04-30"))).await.unwrap().period.closing
}

#[tokio::test]
async fn a_line_is_imported_once_however_files_overlap() {
    let ledger = open(Arc::new(MemoryStore::new()), "America/Sao_Paulo", 240).await;
    let dry = ledger.import(MARCH.as_bytes(), &ImportOptions { dry_run: true, ..comma() }).await.unwrap();
    assert_eq!((dry.imported, dry.known, dry.deposits, dry.withdrawals), (3, 0, 123_456, 900));
    assert_eq!(bank(&ledger).await, 0);
    // The same file from several hands at once.
    let mut imports = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let ledger = ledger.clone();
        imports.spawn(async move { ledger.import(MARCH.as_bytes(), &comma()).await.unwrap().imported });
    }
    assert_eq!(imports.join_all().await.iter().sum::<u64>(), 3);
    let longer = format!("{MARCH}04/03/2026;TARIFA;-9,90\n01/04/2026;PIX BIA;10,00\n");
    let view = ledger.import(longer.as_bytes(), &comma()).await.unwrap();
    assert_eq!((view.imported, view.known), (2, 3));
    assert_eq!(bank(&ledger).await, 123_456 - 900 - 990 + 1_000);
    // In the encoding of western Windows it is the same text.
    let latin: Vec<u8> = MARCH.chars().map(|c| c as u32 as u8).collect();
    assert_eq!(ledger.import(&latin, &comma()).await.unwrap().known, 3);
    assert_eq!(ledger.verify().await.unwrap().differences, Vec::<String>::new());
}

#[tokio::test]
async fn one_rejected_line_stops_the_whole_file() {
    let ledger = open(Arc::new(MemoryStore::new()), "America/Sao_Paulo", 240).await;
    let bad = format!("{MARCH}31/02/2026;X;1,00\n05/03/2026;Y;1,001\n");
    let refused = ledger.import(bad.as_bytes(), &comma()).await;
    let Err(ImportError::Rejected(rejected)) = refused else { panic!("{refused:?}") };
    assert_eq!(rejected.iter().map(|r| r.line).collect::<Vec<_>>(), [5, 6]);
    let dry = ledger.import(bad.as_bytes(), &ImportOptions { dry_run: true, ..comma() }).await.unwrap();
    assert_eq!((dry.imported, dry.rejected_count), (3, 2));
    assert_eq!(bank(&ledger).await, 0);
    let unknown = ImportOptions { account: Some("assets:other".into()), ..comma() };
    let refused = ledger.import(MARCH.as_bytes(), &unknown).await;
    assert!(matches!(refused, Err(ImportError::Rejected(rejected)) if rejected.len() == 3));
    let many = format!("Data;Histórico;Valor\n{}", "03/03/2026;X;1,00\n".repeat(10_001));
    assert!(matches!(ledger.import(many.as_bytes(), &comma()).await, Err(ImportError::File(_))));
    assert!(matches!(ledger.import(b"Data;Valor\n", &comma()).await, Err(ImportError::File(_))));
}

#[tokio::test]
async fn ofx_lines_go_by_the_banks_ids() {
    let ledger = open(Arc::new(MemoryStore::new()), "UTC", 0).await;
    let line =
        |id: &str, amount: &str| format!("<STMTTRN><DTPOSTED>20260303<TRNAMT>{amount}<FITID>{id}<MEMO>x</STMTTRN>\n");
    let file = |lines: &[String]| format!("<OFX><CURDEF>USD\n{}</OFX>", lines.concat());
    let options = ImportOptions { format: ImportFormat::Ofx, ..ImportOptions::default() };
    let first = ledger.import(file(&[line("a", "5.00"), line("b", "-2.00")]).as_bytes(), &options).await.unwrap();
    assert_eq!((first.imported, first.currency), (2, Currency::USD));
    let second = ledger.import(file(&[line("b", "-2.00"), line("c", "1.00")]).as_bytes(), &options).await.unwrap();
    assert_eq!((second.imported, second.known), (1, 1));
    // A bank may write a line twice into one file: the same id is the same line.
    let twice = ledger.import(file(&[line("d", "3.00"), line("d", "3.00")]).as_bytes(), &options).await.unwrap();
    assert_eq!((twice.imported, twice.known), (1, 1));
    // Some give one id to several lines: another amount is another line.
    let reused = ledger.import(file(&[line("a", "5.00"), line("a", "7.50")]).as_bytes(), &options).await.unwrap();
    assert_eq!((reused.imported, reused.known, reused.deposits), (1, 1, 750));
    ledger.consolidate().await.unwrap();
    let statement =
        ledger.statement("assets:bank", Some(Currency::USD), (Some("2026-03-03"), Some("2026-03-03"))).await;
    assert_eq!(statement.unwrap().period.closing, 700 + 750);
}

async fn export(ledger: &Arc<Ledger>, format: ExportFormat, from: Option<&str>, to: Option<&str>) -> String {
    let mut export = ledger.export(format, from, to).unwrap();
    let mut text = String::new();
    while let Some(piece) = export.next().await.unwrap() {
        text.push_str(&piece);
    }
    text
}

#[tokio::test]
async fn exports_hold_every_entry_of_their_days() {
    let ledger = open(Arc::new(MemoryStore::new()), "America/Sao_Paulo", 240).await;
    // 06:59 in UTC is 03:59 in São Paulo: the day before, with that cut-off.
    let at: jiff::Timestamp = "2026-03-02T06:59:59Z".parse().unwrap();
    let mut entry = transfer("income:sales", "assets:bank", 123_456, Currency::BRL, at.as_millisecond());
    entry.description = "ca; fé \"x\", | y".into();
    ledger.post(entry, Some("k")).await.unwrap();
    let next = transfer("income:sales", "assets:bank", 5, Currency::USD, at.as_millisecond() + 1_000);
    for _ in 0..100 {
        ledger.post(next.clone(), None).await.unwrap();
    }
    let csv = export(&ledger, ExportFormat::Csv, None, None).await;
    assert_eq!(csv.lines().count(), 1 + 202);
    let line = csv.lines().nth(1).unwrap();
    assert!(line.contains(",2026-03-01,2026-03-02T06:59:59.000Z,"), "{line}");
    assert!(line.contains("\"ca; fé \"\"x\"\", | y\",assets:bank,1234.56,BRL,entry/k,,"), "{line}");
    let json = export(&ledger, ExportFormat::Json, Some("2026-03-02"), Some("2026-03-02")).await;
    assert_eq!(json.lines().count(), 100);
    let journal = export(&ledger, ExportFormat::Hledger, None, Some("2026-03-01")).await;
    assert!(journal.contains("2026-03-01 ca, fé \"x\", / y  ; id:ent_"), "{journal}");
    assert!(journal.ends_with("    assets:bank  BRL 1234.56\n    income:sales  BRL -1234.56\n\n"), "{journal}");
    assert_eq!(export(&ledger, ExportFormat::Json, Some("2027-01-01"), None).await, "");
    // What a spreadsheet would take for a formula is a text; numbers stay numbers.
    for text in ["=HYPERLINK(\"x\")", "+1", "-1", "@x", "'=1"] {
        let mut formula = transfer("income:sales", "assets:bank", 7, Currency::BRL, at.as_millisecond() + 90_000_000);
        formula.description = text.into();
        ledger.post(formula, None).await.unwrap();
    }
    let csv = export(&ledger, ExportFormat::Csv, Some("2026-03-03"), None).await;
    assert_eq!(csv.lines().count(), 1 + 10);
    for text in ["\"'=HYPERLINK(\"\"x\"\")\"", "'+1", "'-1", "'@x", "''=1"] {
        assert!(csv.contains(&format!(",manual,{text},income:sales,-0.07,BRL,,")), "{text} in {csv}");
    }
    assert!(ledger.export(ExportFormat::Csv, Some("yesterday"), None).is_err());
}
