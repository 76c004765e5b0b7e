//! Who follows the orders.
