//! Results in the XML of JUnit, which build servers read.

use super::Result;

/// The results of all files.
pub(crate) fn report(results: &[Result]) -> String {
    let failed = results.iter().filter(|result| !result.passed).count();
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"comanda flow test\" tests=\"{}\" failures=\"{failed}\">\n",
        results.len()
    );
    for result in results {
        let (file, name) = (escape(&result.file), escape(&result.name));
        let time = result.milliseconds / 1000.0;
        xml.push_str(&format!("  <testcase classname=\"{file}\" name=\"{name}\" time=\"{time:.6}\""));
        match result.passed {
            true => xml.push_str("/>\n"),
            false => {
                let text = escape(&result.differences.join("\n"));
                xml.push_str(&format!("><failure message=\"not as expected\">{text}</failure></testcase>\n"));
            }
        }
    }
    xml.push_str("</testsuite>\n");
    xml
}

/// Text of XML; characters that XML cannot hold are replaced.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c < ' ' && c != '\n' && c != '\t' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
