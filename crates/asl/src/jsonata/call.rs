//! Functions: calling them, calling them with some arguments, chaining them, and transforms.

use super::ast::{Kind, Node, Transform};
use super::error::{Result, error};
use super::evaluate::Evaluator;
use super::functions;
use super::value::{Function, Key, Text, Val};

impl<'a> Evaluator<'a> {
    /// A call; `first` stands before the written arguments (`~>`).
    pub(super) fn call(
        &mut self,
        procedure: &'a Node,
        arguments: &'a [Node],
        first: Option<Val<'a>>,
        input: &Val<'a>,
        frame: usize,
    ) -> Result<Val<'a>> {
        let function = self.eval(procedure, input, frame)?;
        if function.is_undefined()
            && let Some(name) = plain_name(procedure)
            && !self.variable(name, input, frame).is_undefined()
        {
            let message = format!("Attempted to invoke a non-function. Did you mean ${name}?");
            return error("T1005", message);
        }
        let mut values = Vec::with_capacity(arguments.len() + 1);
        values.extend(first);
        for argument in arguments {
            values.push(self.eval(argument, input, frame)?);
        }
        self.apply(&function, values, input, name_of(procedure))
    }

    /// Applies a function, and the calls in its tail.
    pub(super) fn apply(
        &mut self,
        function: &Val<'a>,
        arguments: Vec<Val<'a>>,
        input: &Val<'a>,
        name: &str,
    ) -> Result<Val<'a>> {
        let base = self.frames.len();
        let captures = self.captures;
        let mut result = self.apply_once(function, arguments, input, name)?;
        while let Val::Thunk(thunk) = &result {
            let Kind::Call(procedure, arguments) = &thunk.call.kind else { return Ok(Val::Undefined) };
            let next = self.eval(procedure, &thunk.input, thunk.frame)?;
            let mut values = Vec::with_capacity(arguments.len());
            for argument in arguments {
                values.push(self.eval(argument, &thunk.input, thunk.frame)?);
            }
            let context = thunk.input.clone();
            if self.captures == captures {
                self.frames.truncate(base);
            }
            result = self.apply_once(&next, values, &context, name_of(procedure))?;
        }
        if self.captures == captures {
            self.frames.truncate(base);
        }
        Ok(result)
    }

    fn apply_once(
        &mut self,
        function: &Val<'a>,
        arguments: Vec<Val<'a>>,
        input: &Val<'a>,
        name: &str,
    ) -> Result<Val<'a>> {
        self.work(1)?;
        let Val::Function(function) = function else {
            return error("T1006", "Attempted to invoke a non-function");
        };
        match &**function {
            Function::Native(native) => {
                let arguments = native.signature().validate(arguments, input, native.name)?;
                (native.call)(self, &arguments)
            }
            Function::Lambda { lambda, frame, input: context } => {
                let arguments = match &lambda.signature {
                    Some(signature) => signature.validate(arguments, input, name)?,
                    None => arguments,
                };
                let mut arguments = arguments.into_iter();
                let bindings = lambda
                    .parameters
                    .iter()
                    .map(|name| (Key::Name(name), arguments.next().unwrap_or(Val::Undefined)))
                    .collect();
                let captures = self.captures;
                let inner = self.enter(*frame, bindings)?;
                let result = self.eval(&lambda.body, context, inner)?;
                self.leave(inner, captures, &result);
                Ok(result)
            }
            Function::Partial { inner, arguments: fixed, .. } => {
                let mut open = arguments.into_iter();
                let all = fixed
                    .iter()
                    .map(|value| match value {
                        Some(value) => value.clone(),
                        None => open.next().unwrap_or(Val::Undefined),
                    })
                    .collect();
                self.apply_nested(inner, all, input)
            }
            Function::Chain { first, second, .. } => {
                let between = self.apply_nested(first, arguments, input)?;
                self.apply_nested(second, vec![between], input)
            }
            Function::Transform { transform, frame } => {
                let mut arguments = arguments.into_iter();
                let object = arguments.next().unwrap_or(Val::Undefined);
                if !matches!(object.symbol(), 'o' | 'a' | 'm') {
                    return error("T0410", "Argument 1 of function \"\" does not match function signature");
                }
                self.transform(transform, &object, *frame)
            }
            Function::Regex(regex) => {
                let text = arguments.into_iter().next().unwrap_or(Val::Undefined);
                match text {
                    Val::String(text) => functions::next_match(self, regex, text, 0),
                    _ => Ok(Val::Undefined),
                }
            }
            Function::Next { regex, text, from } => functions::next_match(self, regex, text.clone(), *from),
        }
    }

    /// A function inside of a function: a level of depth of its own.
    fn apply_nested(&mut self, function: &Val<'a>, arguments: Vec<Val<'a>>, input: &Val<'a>) -> Result<Val<'a>> {
        self.deeper(|evaluator| evaluator.apply(function, arguments, input, ""))
    }

    pub(super) fn partial(
        &mut self,
        procedure: &'a Node,
        arguments: &'a [Option<Node>],
        input: &Val<'a>,
        frame: usize,
    ) -> Result<Val<'a>> {
        let mut values = Vec::with_capacity(arguments.len());
        for argument in arguments {
            values.push(match argument {
                Some(argument) => Some(self.eval(argument, input, frame)?),
                None => None,
            });
        }
        let inner = self.eval(procedure, input, frame)?;
        if !inner.is_function() {
            if inner.is_undefined()
                && let Some(name) = plain_name(procedure)
                && !self.variable(name, input, frame).is_undefined()
            {
                let message = format!("Attempted to partially apply a non-function. Did you mean ${name}?");
                return error("T1007", message);
            }
            return error("T1008", "Attempted to partially apply a non-function");
        }
        self.captures += 1;
        let depth = values.iter().flatten().map(Val::depth).fold(inner.depth(), usize::max) + 1;
        Ok(Val::function(Function::Partial { inner, arguments: values, depth }))
    }

    /// `~>`.
    pub(super) fn apply_operator(&mut self, pair: &'a (Node, Node), input: &Val<'a>, frame: usize) -> Result<Val<'a>> {
        let left = self.eval(&pair.0, input, frame)?;
        if let Kind::Call(procedure, arguments) = &pair.1.kind {
            return self.call(procedure, arguments, Some(left), input, frame);
        }
        let function = self.eval(&pair.1, input, frame)?;
        if !function.is_function() {
            return error("T2006", "The right side of the function application operator ~> must be a function");
        }
        if left.is_function() {
            let depth = left.depth().max(function.depth()) + 1;
            return Ok(Val::function(Function::Chain { first: left, second: function, depth }));
        }
        self.apply(&function, vec![left], &Val::Undefined, "")
    }

    /// How many arguments a function wants of those that a higher-order function can give.
    pub(super) fn arity(function: &Val<'a>) -> usize {
        let Val::Function(function) = function else { return 1 };
        match &**function {
            Function::Native(native) => native.arity,
            Function::Lambda { lambda, .. } => lambda.parameters.len(),
            Function::Partial { arguments, .. } => arguments.iter().filter(|value| value.is_none()).count(),
            _ => 1,
        }
    }

    fn transform(&mut self, transform: &'a Transform, object: &Val<'a>, frame: usize) -> Result<Val<'a>> {
        if object.is_undefined() {
            return Ok(Val::Undefined);
        }
        let copy = self.copy(object)?;
        let found = self.eval(&transform.pattern, &copy, frame)?;
        for place in found.items() {
            let update = self.eval(&transform.update, &place, frame)?;
            if !update.is_undefined() {
                if !update.is_object() {
                    let message = "The insert/update clause of the transform expression must evaluate to an object";
                    return error("T2011", message);
                }
                // A copy, so that nothing can contain itself.
                let update = self.copy(&update)?;
                if let Val::Object(target) = &place {
                    for (key, value) in update.fields() {
                        target.set(key, value)?;
                    }
                }
            }
            let Some(delete) = &transform.delete else { continue };
            let names = self.eval(delete, &place, frame)?;
            for name in names.items() {
                let Val::String(name) = name else {
                    let message =
                        "The delete clause of the transform expression must evaluate to a string or array of strings";
                    return error("T2012", message);
                };
                if let Val::Object(target) = &place {
                    target.map.borrow_mut().shift_remove(&*name);
                }
            }
        }
        Ok(copy)
    }

    /// A copy of which every object can be changed.
    pub(super) fn copy(&mut self, value: &Val<'a>) -> Result<Val<'a>> {
        self.hold(1)?;
        if value.is_array() {
            let mut items = Vec::with_capacity(value.len());
            for item in value.items() {
                items.push(self.copy(&item)?);
            }
            return Ok(Val::array(items));
        }
        if !value.is_object() {
            return Ok(value.clone());
        }
        let fields = value.fields();
        let mut map = indexmap::IndexMap::with_capacity(fields.len());
        for (key, item) in fields {
            let item = self.copy(&item)?;
            map.insert(key, item);
        }
        Val::object(map).checked()
    }
}

/// The name of a procedure that is written without its `$`.
fn plain_name(node: &Node) -> Option<&str> {
    match &node.kind {
        Kind::Path(path) => match path.steps.first().map(|step| &step.kind) {
            Some(Kind::Name(name)) => Some(name),
            _ => None,
        },
        _ => None,
    }
}

fn name_of(node: &Node) -> &str {
    match &node.kind {
        Kind::Variable(name) => name,
        _ => plain_name(node).unwrap_or_default(),
    }
}

/// A text that lives as long as the evaluation.
pub(super) fn shared<'a>(text: &str) -> Text<'a> {
    Text::Shared(text.into())
}
