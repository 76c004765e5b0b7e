//! The functions of the language and those that AWS adds.

mod arrays;
mod aws;
mod higher_order;
mod numbers;
mod objects;
mod strings;
mod time;

use std::sync::OnceLock;

use super::error::{Result, error};
use super::evaluate::Evaluator;
use super::signature::Signature;
use super::value::Val;

pub(super) use numbers::round_to;
pub(super) use strings::next_match;

/// What a function does with its arguments, which fit its signature.
type Body = for<'e, 'a, 'v> fn(&'e mut Evaluator<'a>, &'v [Val<'a>]) -> Result<Val<'a>>;

/// A function of the language.
pub(super) struct Native {
    pub(super) name: &'static str,
    signature: &'static str,
    /// How many arguments it wants from a higher-order function.
    pub(super) arity: usize,
    pub(super) call: Body,
    parsed: OnceLock<Signature>,
}

impl std::fmt::Debug for Native {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "${}", self.name)
    }
}

impl Native {
    pub(super) fn signature(&self) -> &Signature {
        // A signature of ours that cannot be read would take no arguments; a test reads them all.
        self.parsed.get_or_init(|| Signature::parse(self.signature).unwrap_or_default())
    }
}

const fn native(name: &'static str, signature: &'static str, arity: usize, call: Body) -> Native {
    Native { name, signature, arity, call, parsed: OnceLock::new() }
}

/// By name, in alphabetical order.
static NATIVES: [Native; 69] = [
    native("abs", "<n-:n>", 1, numbers::abs),
    native("append", "<xx:a>", 2, arrays::append),
    native("assert", "<bs?:x>", 2, objects::assert),
    native("average", "<a<n>:n>", 1, numbers::average),
    native("base64decode", "<s-:s>", 1, strings::base64_decode),
    native("base64encode", "<s-:s>", 1, strings::base64_encode),
    native("boolean", "<x-:b>", 1, objects::boolean),
    native("ceil", "<n-:n>", 1, numbers::ceil),
    native("clone", "<(oa)-:o>", 1, objects::clone),
    native("contains", "<s-(sf):b>", 2, strings::contains),
    native("count", "<a:n>", 1, numbers::count),
    native("decodeUrl", "<s-:s>", 1, strings::decode_url),
    native("decodeUrlComponent", "<s-:s>", 1, strings::decode_url_component),
    native("distinct", "<x:x>", 1, arrays::distinct),
    native("each", "<o-f:a>", 2, higher_order::each),
    native("encodeUrl", "<s-:s>", 1, strings::encode_url),
    native("encodeUrlComponent", "<s-:s>", 1, strings::encode_url_component),
    native("error", "<s?:x>", 1, objects::error_),
    native("exists", "<x:b>", 1, objects::exists),
    native("filter", "<af>", 2, higher_order::filter),
    native("floor", "<n-:n>", 1, numbers::floor),
    native("formatBase", "<n-n?:s>", 2, numbers::format_base),
    native("formatInteger", "<n-s:s>", 2, numbers::format_integer),
    native("formatNumber", "<n-so?:s>", 3, numbers::format_number),
    native("fromMillis", "<n-s?s?:s>", 3, time::from_millis),
    native("hash", "<x-s?:s>", 2, aws::hash),
    native("join", "<a<s>s?:s>", 2, strings::join),
    native("keys", "<x-:a<s>>", 1, objects::keys),
    native("length", "<s-:n>", 1, strings::length),
    native("lookup", "<x-s:x>", 2, objects::lookup),
    native("lowercase", "<s-:s>", 1, strings::lowercase),
    native("map", "<af>", 2, higher_order::map),
    native("match", "<s-f<s:o>n?:a<o>>", 3, strings::match_),
    native("max", "<a<n>:n>", 1, numbers::max),
    native("merge", "<a<o>:o>", 1, objects::merge),
    native("millis", "<:n>", 0, time::millis),
    native("min", "<a<n>:n>", 1, numbers::min),
    native("not", "<x-:b>", 1, objects::not),
    native("now", "<s?s?:s>", 2, time::now),
    native("number", "<(nsb)-:n>", 1, numbers::number),
    native("pad", "<s-ns?:s>", 3, strings::pad),
    native("parse", "<s-:x>", 1, aws::parse),
    native("parseInteger", "<s-s:n>", 2, numbers::parse_integer),
    native("partition", "<an:a>", 2, aws::partition),
    native("power", "<n-n:n>", 2, numbers::power),
    native("random", "<n?:n>", 0, aws::random),
    native("range", "<nnn:a>", 3, aws::range),
    native("reduce", "<afj?:j>", 3, higher_order::reduce),
    native("replace", "<s-(sf)(sf)n?:s>", 4, strings::replace),
    native("reverse", "<a:a>", 1, arrays::reverse),
    native("round", "<n-n?:n>", 2, numbers::round),
    native("shuffle", "<a:a>", 1, arrays::shuffle),
    native("sift", "<o-f?:o>", 2, higher_order::sift),
    native("single", "<af?>", 2, higher_order::single),
    native("sort", "<af?:a>", 2, arrays::sort),
    native("split", "<s-(sf)n?:a<s>>", 3, strings::split),
    native("spread", "<x-:a<o>>", 1, objects::spread),
    native("sqrt", "<n-:n>", 1, numbers::sqrt),
    native("string", "<x-b?:s>", 1, strings::string),
    native("substring", "<s-nn?:s>", 3, strings::substring),
    native("substringAfter", "<s-s:s>", 2, strings::substring_after),
    native("substringBefore", "<s-s:s>", 2, strings::substring_before),
    native("sum", "<a<n>:n>", 1, numbers::sum),
    native("toMillis", "<s-s?:n>", 2, time::to_millis),
    native("trim", "<s-:s>", 1, strings::trim),
    native("type", "<x:s>", 1, objects::type_),
    native("uppercase", "<s-:s>", 1, strings::uppercase),
    native("uuid", "<:s>", 0, aws::uuid),
    native("zip", "<a+>", 1, arrays::zip),
];

/// The function of a name, without its `$`.
pub(super) fn named(name: &str) -> Option<&'static Native> {
    let at = NATIVES.binary_search_by(|native| native.name.cmp(name)).ok()?;
    NATIVES.get(at)
}

fn argument<'v, 'a>(arguments: &'v [Val<'a>], n: usize) -> &'v Val<'a> {
    arguments.get(n).unwrap_or(&Val::Undefined)
}

/// The text of an argument, if it is there.
fn text<'v>(arguments: &'v [Val<'_>], n: usize) -> Option<&'v str> {
    argument(arguments, n).str()
}

/// The number of an argument, if it is there.
fn num(arguments: &[Val<'_>], n: usize) -> Option<f64> {
    argument(arguments, n).number()
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below what an f64 holds exactly")]
fn counted<'a>(n: usize) -> Val<'a> {
    Val::Number(n as f64)
}

/// A whole number as an index; negative ones and fractions go down to 0 or the next one.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast saturates")]
fn index(n: f64) -> usize {
    n.max(0.0) as usize
}

fn bad<'a>(code: &'static str, message: impl Into<String>) -> Result<Val<'a>> {
    error(code, message)
}

/// Every name.
#[cfg(test)]
pub(super) fn names() -> Vec<&'static str> {
    NATIVES.iter().map(|native| native.name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_and_its_signatures_can_be_read() {
        assert!(NATIVES.is_sorted_by(|a, b| a.name < b.name), "binary search needs the order");
        for native in &NATIVES {
            assert!(Signature::parse(native.signature).is_ok(), "{}", native.name);
        }
    }
}
