//! Instants by picture, such as `[Y0001]-[M01]-[D01]` (XPath's `format-dateTime`), and back.

use super::civil::{DAY_MS, date, days, first_week, weekday};
use super::error::{Result, error};
use super::picture::Integer;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const ISO: &str = "[Y0001]-[M01]-[D01]T[H01]:[m01]:[s01].[f001][Z01:01t]";
/// The instants that dates are made of, as in JavaScript: 100 million days either side of 1970.
const MOST_MS: i64 = 100_000_000 * DAY_MS;

enum Part {
    Literal(String),
    Marker(Marker),
}

struct Marker {
    component: char,
    /// `t`: an offset of zero is `Z`.
    zero_as_z: bool,
    names: Option<Case>,
    integer: Option<Integer>,
    /// So many digits of a year.
    digits: Option<u32>,
    most_width: Option<usize>,
    /// So many digits belong to it, as another number follows at once.
    parse_width: Option<usize>,
}

#[derive(Clone, Copy, PartialEq)]
enum Case {
    Lower,
    Upper,
    Title,
}

fn default_presentation(component: char) -> Option<&'static str> {
    Some(match component {
        'Y' | 'M' | 'D' | 'd' | 'W' | 'w' | 'X' | 'x' | 'H' | 'h' | 'f' => "1",
        'F' | 'P' | 'C' | 'E' => "n",
        'm' | 's' => "01",
        'Z' | 'z' => "01:01",
        _ => return None,
    })
}

fn analyse(picture: &str) -> Result<Vec<Part>> {
    let mut parts = Vec::new();
    let mut literal = String::new();
    let mut rest = picture;
    while let Some((before, after)) = rest.split_once('[') {
        literal.push_str(&before.replace("]]", "]"));
        if let Some(after) = after.strip_prefix('[') {
            literal.push('[');
            rest = after;
            continue;
        }
        if !literal.is_empty() {
            parts.push(Part::Literal(std::mem::take(&mut literal)));
        }
        let Some((marker, after)) = after.split_once(']') else {
            return error("D3135", "No matching closing bracket ']' in date/time picture string");
        };
        let marker: String = marker.chars().filter(|c| !c.is_whitespace()).collect();
        let marker = analyse_marker(&marker)?;
        if marker.integer.is_some()
            && !matches!(marker.component, 'Z' | 'z')
            && let Some(Part::Marker(previous)) = parts.last_mut()
            && let Some(integer) = &previous.integer
        {
            previous.parse_width = Some(integer.mandatory);
        }
        parts.push(Part::Marker(marker));
        rest = after;
    }
    literal.push_str(&rest.replace("]]", "]"));
    if !literal.is_empty() {
        parts.push(Part::Literal(literal));
    }
    Ok(parts)
}

fn analyse_marker(text: &str) -> Result<Marker> {
    let mut chars = text.chars();
    let component = chars.next().unwrap_or(' ');
    let mut presentation = chars.as_str();
    let (mut least, mut most) = (None, None);
    if let Some((before, width)) = presentation.rsplit_once(',') {
        presentation = before;
        let (low, high) = width.split_once('-').map_or((width, None), |(low, high)| (low, Some(high)));
        least = low.parse::<usize>().ok().filter(|n| *n <= 100);
        most = high.and_then(|high| high.parse::<usize>().ok()).filter(|n| *n <= 100);
    }
    let mut modifier = None;
    let presentation = match presentation.chars().next_back() {
        None => match default_presentation(component) {
            Some(presentation) => presentation,
            None => {
                return error("D3132", format!("Unknown component specifier {component} in date/time picture string"));
            }
        },
        Some(last) if presentation.chars().count() > 1 && "atco".contains(last) => {
            modifier = Some(last);
            presentation.strip_suffix(last).unwrap_or(presentation)
        }
        Some(_) => presentation,
    };
    if default_presentation(component).is_none() {
        return error("D3132", format!("Unknown component specifier {component} in date/time picture string"));
    }
    let mut marker = Marker {
        component,
        zero_as_z: modifier == Some('t'),
        names: None,
        integer: None,
        digits: None,
        most_width: most,
        parse_width: None,
    };
    if presentation.starts_with('n') {
        marker.names = Some(Case::Lower);
    } else if presentation.starts_with('N') {
        marker.names = Some(if presentation.starts_with("Nn") { Case::Title } else { Case::Upper });
    } else if "YMDdFWwXxHhmsf".contains(component) {
        let mut integer = Integer::parse(presentation)?;
        integer.ordinal = modifier == Some('o');
        integer.mandatory = integer.mandatory.max(least.unwrap_or(0));
        if component == 'Y' {
            match most {
                Some(most) => {
                    integer.mandatory = most;
                    marker.digits = u32::try_from(most).ok();
                }
                None => {
                    let width = integer.mandatory + integer.optional;
                    marker.digits = u32::try_from(width).ok().filter(|n| *n >= 2);
                }
            }
        }
        marker.integer = Some(integer);
    }
    if matches!(component, 'Z' | 'z') {
        marker.integer = Some(Integer::parse(presentation)?);
    }
    Ok(marker)
}

/// One component of an instant that is already moved to its offset.
fn component(ms: i64, component: char) -> i64 {
    let today = ms.div_euclid(DAY_MS);
    let (year, month, day) = date(today);
    let of_day = ms.rem_euclid(DAY_MS);
    let hour = of_day / 3_600_000;
    match component {
        'Y' => year,
        'M' => month,
        'D' => day,
        'd' => today - days(year, 1, 1) + 1,
        'F' => weekday(today),
        'W' => week(today, first_week(year, 1), first_week(year + 1, 1), first_week(year - 1, 1), 52),
        'w' => week(today, first_week(year, month), first_week(year, month + 1), first_week(year, month - 1), 4),
        'X' if today < first_week(year, 1) => year - 1,
        'X' if today >= first_week(year + 1, 1) => year + 1,
        'X' => year,
        'x' if today < first_week(year, month) => (month + 10) % 12 + 1,
        'x' if today >= first_week(year, month + 1) => month % 12 + 1,
        'x' => month,
        'H' => hour,
        'h' => (hour + 11) % 12 + 1,
        'P' => i64::from(hour >= 12),
        'm' => of_day / 60_000 % 60,
        's' => of_day / 1000 % 60,
        'f' => of_day % 1000,
        _ => 0,
    }
}

fn week(today: i64, start: i64, next: i64, previous: i64, usual: i64) -> i64 {
    let weeks = |start: i64| (today - start).div_euclid(7) + 1;
    match weeks(start) {
        week if week > usual && today >= next => 1,
        week if week < 1 => weeks(previous),
        week => week,
    }
}

/// Formats an instant; without a picture as ISO 8601.
pub(super) fn format(ms: i64, picture: Option<&str>, zone: Option<&str>) -> Result<String> {
    let offset = zone.map_or(0, |zone| i64::from(parse_int(zone)));
    let (hours, minutes) = (offset / 100, offset % 100);
    let ms = ms.saturating_add((hours * 60 + minutes) * 60_000);
    if !(-MOST_MS..=MOST_MS).contains(&ms) {
        return error("D3110", "The instant is out of range");
    }
    let mut out = String::new();
    for part in analyse(picture.unwrap_or(ISO))? {
        match part {
            Part::Literal(text) => out.push_str(&text),
            Part::Marker(marker) => format_marker(&marker, ms, hours, minutes, &mut out)?,
        }
    }
    Ok(out)
}

fn parse_int(text: &str) -> i32 {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    let n: i32 = digits.get(..end.min(6)).and_then(|digits| digits.parse().ok()).unwrap_or(0);
    if negative { -n } else { n }
}

fn cased(name: &str, case: Case) -> String {
    match case {
        Case::Lower => name.to_lowercase(),
        Case::Upper => name.to_uppercase(),
        Case::Title => name.to_owned(),
    }
}

fn unnamed(component: char) -> String {
    format!(
        "The 'name' modifier can only be applied to months and days in the date/time picture string, not {component}"
    )
}

#[expect(clippy::cast_precision_loss, reason = "components are small")]
fn format_marker(marker: &Marker, ms: i64, hours: i64, minutes: i64, out: &mut String) -> Result<()> {
    let mut value = component(ms, marker.component);
    match marker.component {
        'Z' | 'z' => {
            let Some(integer) = &marker.integer else { return Ok(()) };
            let offset = hours * 100 + minutes;
            if offset == 0 && marker.zero_as_z {
                out.push('Z');
                return Ok(());
            }
            if marker.component == 'z' {
                out.push_str("GMT");
            }
            if offset >= 0 {
                out.push('+');
            }
            if integer.is_regular() || matches!(integer.mandatory, 3 | 4) {
                out.push_str(&integer.format(offset as f64)?);
            } else if matches!(integer.mandatory, 1 | 2) {
                out.push_str(&integer.format(hours as f64)?);
                if minutes != 0 {
                    out.push_str(&format!(":{:02}", minutes.abs()));
                }
            } else {
                let message = "The timezone integer format specifier cannot have more than four digits";
                return error("D3134", message);
            }
        }
        'P' => {
            let name = if value == 1 { "pm" } else { "am" };
            out.push_str(&cased(name, marker.names.filter(|case| *case != Case::Title).unwrap_or(Case::Lower)));
        }
        'C' | 'E' => out.push_str("ISO"),
        _ => match (marker.names, &marker.integer) {
            (Some(case), _) => {
                let names: &[&str] = match marker.component {
                    'M' | 'x' => &MONTHS,
                    'F' => &DAYS,
                    other => return error("D3133", unnamed(other)),
                };
                let name = usize::try_from(value - 1).ok().and_then(|n| names.get(n)).copied().unwrap_or_default();
                let name = cased(name, case);
                out.extend(name.chars().take(marker.most_width.unwrap_or(usize::MAX)));
            }
            (None, Some(integer)) => {
                if let Some(power) = marker.digits.and_then(|digits| 10i64.checked_pow(digits)) {
                    value %= power;
                }
                out.push_str(&integer.format(value as f64)?);
            }
            (None, None) => {}
        },
    }
    Ok(())
}

/// Reads a text by a picture; `None` if it does not fit.
pub(super) fn parse(text: &str, picture: &str, now_ms: i64) -> Result<Option<i64>> {
    let parts = analyse(picture)?;
    let mut pattern = String::from("^");
    for part in &parts {
        let piece = match part {
            Part::Literal(text) => regex_lite::escape(text),
            Part::Marker(marker) => marker.pattern()?,
        };
        pattern.push_str(&format!("({piece})"));
    }
    pattern.push('$');
    let regex = regex_lite::RegexBuilder::new(&pattern).case_insensitive(true).size_limit(1 << 21).build();
    let Ok(regex) = regex else { return error("D3110", "The picture is too large") };
    let Some(captures) = regex.captures(text) else { return Ok(None) };
    let mut found = Components::default();
    for (n, part) in parts.iter().enumerate() {
        if let Part::Marker(marker) = part {
            let text = captures.get(n + 1).map_or("", |group| group.as_str());
            if let Some(value) = marker.read(text) {
                found.set(marker.component, value);
            }
        }
    }
    if found.0.is_empty() {
        return Ok(None);
    }
    found.instant(now_ms).map(Some)
}

#[derive(Default)]
struct Components(Vec<(char, i64)>);

impl Components {
    fn get(&self, component: char) -> Option<i64> {
        self.0.iter().find(|(known, _)| *known == component).map(|(_, value)| *value)
    }

    fn set(&mut self, component: char, value: i64) {
        self.0.retain(|(known, _)| *known != component);
        self.0.push((component, value));
    }

    /// Whether some of these are there and none of the `others`.
    fn are(&self, these: &str, of: &str) -> bool {
        let mut there = of.chars().filter(|c| self.get(*c).is_some_and(|value| value != 0)).peekable();
        there.peek().is_some() && there.all(|c| these.contains(c))
    }

    fn instant(mut self, now_ms: i64) -> Result<i64> {
        const DATE: &str = "YXMxWwdD";
        let by_day = !self.are("YMD", DATE) && self.are("Yd", DATE);
        let by_week = self.are("Xxw", DATE) || self.are("XW", DATE);
        let twelve = !self.are("Hmsf", "PHhmsf") && self.are("Phmsf", "PHhmsf");
        let order = match (by_day, by_week) {
            (true, _) => "YD",
            (_, true) if self.are("Xxw", DATE) => "XxwF",
            (_, true) => "XWF",
            _ => "YMD",
        };
        let mut started = false;
        let mut ended = false;
        for c in order.chars().chain(if twelve { "Phmsf" } else { "Hmsf" }.chars()) {
            match self.get(c) {
                Some(_) if ended => return unfit(),
                Some(_) => started = true,
                None if started => {
                    self.set(c, i64::from("MDd".contains(c)));
                    ended = true;
                }
                None => self.set(c, component(now_ms, c)),
            }
        }
        if by_week {
            return unfit();
        }
        let get = |c: char| self.get(c).unwrap_or(0);
        let day = if by_day { days(get('Y'), 1, 1) + get('d') - 1 } else { days(get('Y'), get('M').max(1), get('D')) };
        let hour = if twelve { get('h') % 12 + 12 * get('P') } else { get('H') };
        let offset = self.get('Z').or(self.get('z')).unwrap_or(0);
        let of_day = ((hour * 60 + get('m')) * 60 + get('s')) * 1000 + get('f');
        Ok(day * DAY_MS + of_day - offset * 60_000)
    }
}

fn unfit<T>() -> Result<T> {
    error("D3136", "The date/time picture string is missing specifiers required to parse the timestamp")
}

/// The largest number that a component is read as.
const MOST: f64 = 1e9;

impl Marker {
    fn pattern(&self) -> Result<String> {
        match (self.component, &self.integer) {
            ('Z' | 'z', integer) => {
                let mut pattern = String::from(if self.component == 'z' { "GMT" } else { "" });
                pattern.push_str("[-+][0-9]+");
                if let Some(separator) = integer.as_ref().and_then(Integer::regular_separator) {
                    pattern.push_str(&regex_lite::escape(&separator.to_string()));
                    pattern.push_str("[0-9]+");
                }
                Ok(pattern)
            }
            (_, Some(integer)) => integer.pattern(self.parse_width),
            ('M' | 'x' | 'F' | 'P', None) => Ok("[a-zA-Z]+".into()),
            (other, None) => error("D3133", unnamed(other)),
        }
    }

    fn read(&self, text: &str) -> Option<i64> {
        if let ('Z' | 'z', integer) = (self.component, &self.integer) {
            let text = text.get(if self.component == 'z' { 3 } else { 0 }..).unwrap_or_default();
            let sign = if text.starts_with('-') { -1 } else { 1 };
            let digits = text.get(1..).unwrap_or_default();
            let separator = integer.as_ref().and_then(Integer::regular_separator);
            let (hours, minutes) = match separator.and_then(|separator| digits.split_once(separator)) {
                Some(pair) => pair,
                None if digits.len() <= 2 => (digits, ""),
                None => digits.split_at(2),
            };
            return Some(i64::from(sign * (parse_int(hours) * 60 + parse_int(minutes))));
        }
        if let Some(integer) = &self.integer {
            let n = integer.read(text).filter(|n| n.abs() < MOST)?;
            #[expect(clippy::cast_possible_truncation, reason = "the range is checked first")]
            return Some(n as i64);
        }
        let place = |names: &[&str]| {
            let width = self.most_width.filter(|n| *n > 0).unwrap_or(usize::MAX);
            let found = names.iter().position(|name| name.chars().take(width).eq(text.chars()))?;
            i64::try_from(found + 1).ok()
        };
        match self.component {
            'M' | 'x' => place(&MONTHS),
            'F' => place(&DAYS),
            'P' if text.eq_ignore_ascii_case("am") => Some(0),
            'P' if text.eq_ignore_ascii_case("pm") => Some(1),
            _ => None,
        }
    }
}

/// Reads ISO 8601: a year, then as much of the rest as there is.
pub(super) fn parse_iso(text: &str) -> Result<i64> {
    match iso(text) {
        Some(ms) => Ok(ms),
        None => error(
            "D3110",
            format!("The argument of the toMillis function must be an ISO 8601 formatted timestamp. Given \"{text}\""),
        ),
    }
}

fn iso(text: &str) -> Option<i64> {
    let number = |text: &str, digits: usize, range: std::ops::RangeInclusive<i64>| {
        let digits = text.get(..digits).filter(|text| text.bytes().all(|b| b.is_ascii_digit()))?;
        digits.parse::<i64>().ok().filter(|n| range.contains(n))
    };
    let year = number(text, 4, 0..=9999)?;
    let mut rest = text.get(4..)?;
    let (mut month, mut day) = (1, 1);
    if let Some(after) = rest.strip_prefix('-') {
        month = number(after, 2, 1..=12)?;
        rest = after.get(2..)?;
        if let Some(after) = rest.strip_prefix('-') {
            day = number(after, 2, 1..=31)?;
            rest = after.get(2..)?;
        }
    }
    let mut ms = days(year, month, day) * DAY_MS;
    if let Some(after) = rest.strip_prefix('T') {
        let (hour, minute, second) =
            (number(after, 2, 0..=24)?, number(after.get(3..)?, 2, 0..=59)?, number(after.get(6..)?, 2, 0..=59)?);
        let bytes = after.as_bytes();
        if bytes.get(2) != Some(&b':') || bytes.get(5) != Some(&b':') {
            return None;
        }
        ms += ((hour * 60 + minute) * 60 + second) * 1000;
        rest = after.get(8..)?;
        if let Some(after) = rest.strip_prefix('.') {
            let digits = after.bytes().take_while(u8::is_ascii_digit).count();
            if digits == 0 {
                return None;
            }
            let fraction: String = after.chars().take(digits.min(3)).chain("000".chars()).take(3).collect();
            ms += fraction.parse::<i64>().ok()?;
            rest = after.get(digits..)?;
        }
    }
    match rest {
        "" | "Z" => Some(ms),
        offset => {
            let sign = match offset.as_bytes().first()? {
                b'+' => 1,
                b'-' => -1,
                _ => return None,
            };
            let digits: String = offset.get(1..)?.replacen(':', "", 1);
            let (hours, minutes) = (number(&digits, 2, 0..=23)?, number(digits.get(2..)?, 2, 0..=59)?);
            (digits.len() == 4).then_some(ms - sign * (hours * 60 + minutes) * 60_000)
        }
    }
}
