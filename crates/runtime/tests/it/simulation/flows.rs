//! Random flows: valid, ending, with every type of state, both query languages, variables, retries, catches, loops.
//!
//! The data are an object that every state keeps: `i` counts the rounds of loops, `items` are for Maps, `r` is the last
//! result. What goes on at the same time takes different times, so that nothing depends on which of two comes first.

use serde_json::{Map, Value, json};

use super::chance::Chance;

/// How deep Parallel and Map stand in each other.
const DEPTH: u32 = 2;
const WORK: &str = "arn:aws:lambda:local:000000000000:function:work";
const HANG: &str = "arn:aws:lambda:local:000000000000:function:hang";

pub(crate) struct Flows {
    chance: Chance,
    names: u32,
    /// States that may still be made.
    left: u32,
}

/// A flow of about so many states, and its input.
pub(crate) fn random(seed: u64, states: u32) -> (Value, Value) {
    let mut flows = Flows { chance: Chance::new(seed), names: 0, left: states };
    let mut flow = flows.scope(DEPTH, true);
    if flows.chance.percent(5) {
        flow["TimeoutSeconds"] = json!(1 + flows.chance.below(3_000));
    }
    let items: Vec<Value> = (0..flows.chance.below(5)).map(|k| json!({"k": k, "w": 3 + 7 * k})).collect();
    let input = json!({"i": 0, "items": items, "x": flows.chance.below(10), "r": {"v": 0}});
    (flow, input)
}

impl Flows {
    fn name(&mut self, prefix: &str) -> String {
        self.names += 1;
        format!("{prefix}{}", self.names)
    }

    /// A whole scope: a chain of blocks and its end.
    fn scope(&mut self, depth: u32, is_root: bool) -> Value {
        let mut states: Vec<(String, Value)> = Vec::new();
        let blocks = 1 + self.chance.below(if is_root { 6 } else { 3 });
        for _ in 0..blocks {
            if self.left == 0 {
                break;
            }
            self.left -= 1;
            self.block(depth, is_root, &mut states);
        }
        let last = self.name("End");
        let end = match self.chance.below(if is_root { 20 } else { 9 }) {
            0 => json!({"Type": "Fail", "Error": format!("F{}", self.names), "Cause": "the flow says so"}),
            1..4 => json!({"Type": "Succeed"}),
            _ => json!({"Type": "Pass", "End": true}),
        };
        states.push((last, end));
        // Each block leads to the next; what leads elsewhere has said so.
        let names: Vec<String> = states.iter().map(|(name, _)| name.clone()).collect();
        let mut named = Map::new();
        for (n, (name, mut state)) in states.into_iter().enumerate() {
            let next = names.get(n + 1).cloned().unwrap_or_default();
            let replaced = state.to_string().replace("\"@next\"", &format!("\"{next}\""));
            state = serde_json::from_str(&replaced).unwrap();
            named.insert(name, state);
        }
        json!({"StartAt": names[0], "States": named})
    }

    /// A state or a few, the last of which leads to `@next`.
    fn block(&mut self, depth: u32, is_root: bool, states: &mut Vec<(String, Value)>) {
        match self.chance.below(if depth > 0 { 14 } else { 10 }) {
            0 | 1 => {
                let name = self.name("Pass");
                let state = self.pass();
                states.push((name, state));
            }
            2..6 => {
                let name = self.name("Task");
                let state = self.task();
                self.guard(name, state, states);
            }
            6 | 7 => {
                let name = self.name("Wait");
                let state = self.wait(depth);
                states.push((name, state));
            }
            8 => self.choice(states),
            9 if is_root => self.repeat(states),
            9 => {
                let name = self.name("Pass");
                states.push((name, json!({"Type": "Pass", "Assign": {"seen.$": "$.r"}, "Next": "@next"})));
            }
            10 | 11 => {
                let name = self.name("Parallel");
                let branches: Vec<Value> =
                    (0..2 + self.chance.below(2)).map(|_| self.scope(depth - 1, false)).collect();
                let state = json!({"Type": "Parallel", "Branches": branches, "ResultPath": "$.p", "Next": "@next"});
                self.guard(name, state, states);
            }
            _ => {
                let name = self.name("Map");
                let state = self.map(depth);
                self.guard(name, state, states);
            }
        }
    }

    fn pass(&mut self) -> Value {
        match self.chance.below(25) {
            0..5 => {
                json!({"Type": "Pass", "Result": {"v": self.chance.below(9)}, "ResultPath": "$.r", "Next": "@next"})
            }
            5..9 => json!({"Type": "Pass", "Parameters": {"v.$": "States.MathAdd($.i, 3)",
                "text.$": "States.Format('{} of {}', $.i, $$.Execution.Name)"}, "ResultPath": "$.r", "Next": "@next"}),
            9..13 => json!({"Type": "Pass", "Assign": {"kept.$": "$.r", "i.$": "$.i"}, "Next": "@next"}),
            13..17 => json!({"Type": "Pass", "Parameters": {"v.$": "States.ArrayLength($.items)",
                "h.$": "States.Hash($.i, 'SHA-1')"}, "ResultPath": "$.r", "Next": "@next"}),
            17..21 => json!({"Type": "Pass", "QueryLanguage": "JSONata", "Next": "@next",
                "Output": "{% $merge([$states.input, {'r': {'v': $states.input.i * 2, 'n': $count($states.input.items)}}]) %}"}),
            21..24 => {
                json!({"Type": "Pass", "QueryLanguage": "JSONata", "Assign": {"kept": "{% $states.input.r %}"}, "Next": "@next"})
            }
            // It may never have been set: then the flow fails, in the same way every time.
            _ => json!({"Type": "Pass", "Parameters": {"v.$": "$kept"}, "ResultPath": "$.r", "Next": "@next"}),
        }
    }

    fn task(&mut self) -> Value {
        let hangs = self.chance.percent(20);
        let function = if hangs { HANG } else { WORK };
        let round = json!({"n.$": "$.i", "at.$": "$$.State.Name", "item.$": "$.items",
            "entered.$": "$$.State.EnteredTime"});
        let mut state = match self.chance.below(4) {
            0 => {
                let mut payload = round;
                payload["token.$"] = json!("$$.Task.Token");
                json!({"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
                    "Parameters": {"FunctionName": if hangs { "ask-and-hang" } else { "ask" }, "Payload": payload}})
            }
            1 => json!({"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke",
                "Parameters": {"FunctionName": function, "Payload": round}, "ResultSelector": {"v.$": "$.Payload.v"}}),
            2 => json!({"Type": "Task", "Resource": function, "Parameters": round}),
            _ => {
                let mut state = json!({"Type": "Task", "Resource": function, "QueryLanguage": "JSONata", "Next": "@next",
                    "Arguments": {"n": "{% $states.input.i %}", "at": "{% $states.context.State.Name %}", "item": "{% $states.input.items %}",
                        "entered": "{% $states.context.State.EnteredTime %}"},
                    "Output": "{% $merge([$states.input, {'r': $states.result}]) %}"});
                if self.chance.percent(30) {
                    state["Assign"] = json!({"kept": "{% $states.result %}"});
                }
                state
            }
        };
        if state.get("QueryLanguage").is_none() {
            state["ResultPath"] = json!("$.r");
            state["Next"] = json!("@next");
            if self.chance.percent(20) {
                state["Assign"] = json!({"kept.$": "$"});
            }
        }
        if hangs || self.chance.percent(20) {
            state["TimeoutSeconds"] = json!(20 + self.chance.below(850));
        }
        if hangs && self.chance.percent(30) {
            state["HeartbeatSeconds"] = json!(1 + self.chance.below(19));
        }
        state
    }

    /// Retries and catches of a state that may fail; what catches leads on to the next block.
    fn guard(&mut self, name: String, mut state: Value, states: &mut Vec<(String, Value)>) {
        if self.chance.percent(60) {
            let jitter = if self.chance.percent(30) { "FULL" } else { "NONE" };
            let mut retry = vec![json!({"ErrorEquals": ["E1", "E2"], "IntervalSeconds": 1 + self.chance.below(60),
                "MaxAttempts": self.chance.below(4), "BackoffRate": 1.5, "MaxDelaySeconds": 90, "JitterStrategy": jitter})];
            if self.chance.percent(30) {
                retry.push(json!({"ErrorEquals": ["States.Timeout"], "IntervalSeconds": 5, "MaxAttempts": 1}));
            }
            state["Retry"] = json!(retry);
        }
        if !self.chance.percent(60) {
            return states.push((name, state));
        }
        let mender = self.name("Mend");
        let in_formulas = state.get("QueryLanguage").is_some();
        let mut catch = Vec::new();
        for errors in [json!(["E1"]), json!(["States.ALL"])] {
            if self.chance.percent(30) {
                continue;
            }
            catch.push(match in_formulas {
                true => json!({"ErrorEquals": errors, "Next": mender,
                    "Output": "{% $merge([$states.input, {'e': $states.errorOutput.Error}]) %}"}),
                false => json!({"ErrorEquals": errors, "Next": mender, "ResultPath": "$.e"}),
            });
        }
        if catch.is_empty() {
            return states.push((name, state));
        }
        let around = self.name("Join");
        state["Catch"] = json!(catch);
        state["Next"] = json!(around);
        states.push((name, state));
        states.push((mender, json!({"Type": "Pass", "Next": "@next"})));
        states.push((around, json!({"Type": "Pass", "Next": "@next"})));
    }

    fn wait(&mut self, depth: u32) -> Value {
        // In Maps every item has its own time.
        match self.chance.below(if depth == DEPTH { 4 } else { 2 }) {
            0 => json!({"Type": "Wait", "SecondsPath": "$.x", "Next": "@next"}),
            1 => {
                json!({"Type": "Wait", "QueryLanguage": "JSONata", "Seconds": "{% $states.input.x * 2 + 1 %}", "Next": "@next"})
            }
            2 => json!({"Type": "Wait", "Timestamp": "2026-01-01T12:20:00Z", "Next": "@next"}),
            _ => json!({"Type": "Wait", "Seconds": self.chance.below(2_000), "Next": "@next"}),
        }
    }

    fn choice(&mut self, states: &mut Vec<(String, Value)>) {
        let (name, other) = (self.name("Choice"), self.name("Other"));
        let join = self.name("Join");
        let rules = match self.chance.below(4) {
            0 => json!([{"Variable": "$.r.v", "NumericGreaterThan": self.chance.below(6), "Next": other}]),
            1 => {
                json!([{"And": [{"Variable": "$.e", "IsPresent": true}, {"Not": {"Variable": "$.e", "IsNull": true}}], "Next": other}])
            }
            2 => {
                json!([{"Variable": "$.i", "NumericEqualsPath": "$.x", "Next": other}, {"Variable": "$.x", "NumericLessThan": 4, "Next": join}])
            }
            _ => json!([{"Condition": "{% $count($states.input.items) > 2 %}", "Next": other}]),
        };
        let mut state = json!({"Type": "Choice", "Choices": rules, "Default": join});
        if state["Choices"][0].get("Condition").is_some() {
            state["QueryLanguage"] = json!("JSONata");
        }
        states.push((name, state));
        let pass = self.pass();
        states.push((other, pass));
        states.push((join, json!({"Type": "Pass", "Next": "@next"})));
    }

    /// A loop: a task, a counter, and back a few times.
    fn repeat(&mut self, states: &mut Vec<(String, Value)>) {
        let (body, count, again) = (self.name("Again"), self.name("Count"), self.name("Enough"));
        let most = 1 + self.chance.below(3);
        let mut task = self.task();
        task["Next"] = json!(count);
        states.push((body.clone(), task));
        states.push((
            count,
            json!({"Type": "Pass", "QueryLanguage": "JSONata", "Next": again,
            "Output": "{% $merge([$states.input, {'i': $states.input.i + 1}]) %}"}),
        ));
        let join = self.name("Join");
        states.push((
            again,
            json!({"Type": "Choice", "Default": join,
            "Choices": [{"Variable": "$.i", "NumericLessThanEquals": most, "Next": body}]}),
        ));
        states.push((join, json!({"Type": "Pass", "Next": "@next"})));
    }

    fn map(&mut self, depth: u32) -> Value {
        let mut processor = self.scope(depth - 1, false);
        let distributed = self.chance.percent(20);
        if distributed {
            processor["ProcessorConfig"] = json!({"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"});
        }
        let mut state = json!({"Type": "Map", "ItemsPath": "$.items", "ItemProcessor": processor, "ResultPath": "$.m", "Next": "@next",
            "ItemSelector": {"i.$": "$.i", "x.$": "$$.Map.Item.Value.w", "items.$": "$$.Map.Item.Index", "r": {"v": 1}}});
        if self.chance.percent(50) {
            state["MaxConcurrency"] = json!(self.chance.below(3));
        }
        if distributed && self.chance.percent(50) {
            state["ToleratedFailureCount"] = json!(self.chance.below(4));
        }
        state
    }
}
