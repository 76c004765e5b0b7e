//! Where in a JSON text a JSON pointer points to.

/// The line, counted from 1, at which the value of `pointer` begins; or of the nearest value around it that is there.
pub(super) fn line(text: &str, pointer: &str) -> usize {
    let mut scan = Scan { bytes: text.as_bytes(), at: 0 };
    let mut found = 0;
    for token in pointer.split('/').skip(1) {
        let token = token.replace("~1", "/").replace("~0", "~");
        let Some(at) = scan.enter(&token) else { break };
        found = at;
    }
    1 + text.bytes().take(found).filter(|byte| *byte == b'\n').count()
}

/// Reads a text that need not be JSON; where it is none, nothing is found.
struct Scan<'t> {
    bytes: &'t [u8],
    at: usize,
}

impl Scan<'_> {
    /// Goes into the value of a key or index, and answers where the key or the element begins.
    fn enter(&mut self, token: &str) -> Option<usize> {
        self.blank();
        let is_object = self.take(b'{');
        if !is_object && !self.take(b'[') {
            return None;
        }
        for index in 0.. {
            self.blank();
            let start = self.at;
            let found = match is_object {
                true => {
                    let key = self.string()?;
                    self.blank();
                    if !self.take(b':') {
                        return None;
                    }
                    key == token
                }
                false => token.parse() == Ok(index),
            };
            if found {
                self.blank();
                return Some(start);
            }
            self.skip();
            self.blank();
            if !self.take(b',') {
                return None;
            }
        }
        None
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let is_there = self.peek() == Some(byte);
        self.at += usize::from(is_there);
        is_there
    }

    fn blank(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    fn string(&mut self) -> Option<String> {
        let start = self.at;
        if !self.take(b'"') {
            return None;
        }
        while let Some(byte) = self.peek() {
            self.at += 1;
            match byte {
                b'\\' => self.at += 1,
                b'"' => return serde_json::from_slice(self.bytes.get(start..self.at)?).ok(),
                _ => {}
            }
        }
        None
    }

    /// Past one value.
    fn skip(&mut self) {
        self.blank();
        let mut depth = 0usize;
        while let Some(byte) = self.peek() {
            match byte {
                b'"' => {
                    if self.string().is_none() {
                        return;
                    }
                    if depth == 0 {
                        return;
                    }
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' if depth == 0 => return,
                b'}' | b']' => {
                    depth -= 1;
                    if depth == 0 {
                        self.at += 1;
                        return;
                    }
                }
                b',' if depth == 0 => return,
                _ => {}
            }
            self.at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::line;

    const TEXT: &str = "{\n  \"a\": [1, \"]\\\"\",\n    {\"b/c\": null,\n     \"d\": {}}],\n  \"e\": 2\n}\n";

    #[test]
    fn pointers_lead_to_lines() {
        for (pointer, want) in [
            ("", 1),
            ("/a", 2),
            ("/a/1", 2),
            ("/a/2", 3),
            ("/a/2/b~1c", 3),
            ("/a/2/d", 4),
            ("/e", 5),
            ("/a/9", 2),
            ("/f", 1),
        ] {
            assert_eq!(line(TEXT, pointer), want, "{pointer}");
        }
        for broken in ["", "{", "{\"a", "[1,", "{\"a\" 1}", "nonsense"] {
            line(broken, "/a/0/b");
        }
    }
}
