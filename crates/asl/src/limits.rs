//! The limits of the language, each with its name. Where AWS documents one, it is that one.

/// Largest definition, in bytes of its text.
pub const DEFINITION_BYTES: usize = 1_048_576;
/// Largest input, output or variable, in bytes of compact JSON.
pub const PAYLOAD_BYTES: usize = 262_144;
/// Most bytes of all variables that one scope sees, as compact JSON.
pub const VARIABLES_BYTES: usize = 10 * 1024 * 1024;
/// Deepest nesting of data, so that whatever a flow builds can be written and read again.
pub const DATA_DEPTH: usize = 100;
/// Most events in one history.
pub const HISTORY_EVENTS: u64 = 25_000;
/// Longest error name, in characters.
pub const ERROR_CHARS: usize = 256;
/// Longest cause, in characters.
pub const CAUSE_CHARS: usize = 32_768;
/// Longest state name, in characters.
pub const NAME_CHARS: usize = 80;
/// Most seconds a timeout, a heartbeat, a wait or a retry interval may name.
pub const SECONDS: u64 = 99_999_999;
/// Most seconds `MaxDelaySeconds` may name.
pub const RETRY_DELAY_SECONDS: u64 = 31_622_400;
/// Deepest nesting of intrinsic functions in one expression.
pub const INTRINSIC_DEPTH: usize = 10;
/// Most elements that `States.ArrayRange` and `States.ArrayPartition` may make.
pub const ARRAY_ELEMENTS: usize = 1000;
/// Most steps one JSONPath may take, a bound on hostile paths such as `$..*..*`.
pub const PATH_STEPS: usize = 1_000_000;
/// Bytes that one template may copy before it is taken for hostile.
pub const TEMPLATE_BYTES: usize = 16 * PAYLOAD_BYTES;
/// Most scopes (branches and item processors) inside each other.
pub const SCOPE_DEPTH: usize = 20;
/// Most iterations of an inline Map that run at once.
pub const INLINE_CONCURRENCY: usize = 40;
/// Most bytes that the branches and items of one execution hold at once.
pub const LIVE_BYTES: usize = 256 * PAYLOAD_BYTES;
/// Deepest tree of a JSONata expression.
pub const EXPRESSION_DEPTH: u32 = 200;
/// Deepest evaluation of a JSONata expression, recursion of its functions included.
pub const EXPRESSION_EVALUATION_DEPTH: u32 = 400;
/// Most steps of one JSONata evaluation, where a node, an item and 64 bytes of text count one each.
pub const EXPRESSION_STEPS: u64 = 5_000_000;
/// Most bytes that one JSONata evaluation makes, over all its life.
pub const EXPRESSION_BYTES: u64 = 64 * 1024 * 1024;
/// Deepest nesting of what a JSONata expression builds, beside the data that it takes over.
pub const EXPRESSION_DATA_DEPTH: usize = DATA_DEPTH;
