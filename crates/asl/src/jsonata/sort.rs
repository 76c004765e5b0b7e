//! A stable sort by a comparison that can fail and need not be consistent.

use super::error::Result;

/// Sorts by `is_after`, which says whether the first belongs behind the second.
pub(super) fn merge_sort<T>(items: Vec<T>, is_after: &mut dyn FnMut(&T, &T) -> Result<bool>) -> Result<Vec<T>> {
    if items.len() <= 1 {
        return Ok(items);
    }
    let mut left = items;
    let right = left.split_off(left.len() / 2);
    let left = merge_sort(left, is_after)?;
    let right = merge_sort(right, is_after)?;
    let mut out = Vec::with_capacity(left.len() + right.len());
    let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
    loop {
        match (left.peek(), right.peek()) {
            (Some(a), Some(b)) => {
                let next = if is_after(a, b)? { right.next() } else { left.next() };
                out.extend(next);
            }
            (None, None) => return Ok(out),
            (Some(_), None) => out.extend(left.by_ref()),
            (None, Some(_)) => out.extend(right.by_ref()),
        }
    }
}
