//! Runs flows durably: journal, timers, tasks, callbacks, queues. Knows no order.
