//! ARNs as clients send them. Account and region are not looked at: there is one of each here.

use super::fault::Fault;

/// What the ARN of a state machine names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MachineArn<'a> {
    pub(super) name: &'a str,
    /// The label of one of its distributed Maps.
    pub(super) label: Option<&'a str>,
    pub(super) qualifier: Qualifier<'a>,
}

/// What follows the name of a state machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Qualifier<'a> {
    None,
    Version(i64),
    Alias(&'a str),
}

/// What the ARN of an execution names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ExecutionArn<'a> {
    pub(super) machine: &'a str,
    /// The label of the distributed Map whose child it is.
    pub(super) label: Option<&'a str>,
    pub(super) name: &'a str,
    pub(super) express: bool,
}

fn invalid(problem: &str) -> Fault {
    Fault::new("InvalidArn", format!("Invalid Arn: '{problem}'"))
}

/// The type of the resource and what follows it.
fn resource(arn: &str) -> Result<(&str, &str), Fault> {
    if !arn.starts_with("arn:") {
        return Err(invalid(&format!("Invalid ARN prefix: {arn}")));
    }
    let mut parts = arn.splitn(6, ':').skip(2);
    let (service, resource) = (parts.next().unwrap_or_default(), parts.nth(2).unwrap_or_default());
    if service != "states" {
        return Err(invalid(&format!("Invalid ARN service: {arn}")));
    }
    resource.split_once(':').filter(|(_, rest)| !rest.is_empty()).ok_or_else(|| invalid(&format!("Invalid ARN: {arn}")))
}

fn expect<'a>(arn: &'a str, kinds: &[&str]) -> Result<(&'a str, &'a str), Fault> {
    let (kind, rest) = resource(arn)?;
    match kinds.contains(&kind) {
        true => Ok((kind, rest)),
        false => Err(invalid(&format!("Resource type not valid in this context: {kind}"))),
    }
}

/// A state machine, one of its versions or one of its aliases.
pub(super) fn machine(arn: &str) -> Result<MachineArn<'_>, Fault> {
    let (_, rest) = expect(arn, &["stateMachine"])?;
    let (name, qualifier) = match rest.split_once(':') {
        None => (rest, Qualifier::None),
        Some((name, qualifier)) => match qualifier.parse::<i64>() {
            Ok(version) => (name, Qualifier::Version(version)),
            Err(_) => (name, Qualifier::Alias(qualifier)),
        },
    };
    let (name, label) = name.split_once('/').map_or((name, None), |(name, label)| (name, Some(label)));
    Ok(MachineArn { name, label, qualifier })
}

pub(super) fn execution(arn: &str) -> Result<ExecutionArn<'_>, Fault> {
    let (kind, rest) = expect(arn, &["execution", "express"])?;
    let mut parts = rest.split(':');
    let (machine, name) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let (machine, label) = machine.split_once('/').map_or((machine, None), |(machine, label)| (machine, Some(label)));
    Ok(ExecutionArn { machine, label, name, express: kind == "express" })
}

/// A run of a distributed Map; the engine finds it by the whole ARN.
pub(super) fn map_run(arn: &str) -> Result<&str, Fault> {
    expect(arn, &["mapRun"]).map(|_| arn)
}

pub(super) fn activity(arn: &str) -> Result<&str, Fault> {
    Ok(expect(arn, &["activity"])?.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(arn: &str, name: &str, qualifier: Qualifier<'_>) {
        assert_eq!(machine(arn).unwrap(), MachineArn { name, label: None, qualifier });
    }

    #[test]
    fn arns_of_machines_may_have_a_qualifier() {
        check("arn:aws:states:eu-west-1:1:stateMachine:m", "m", Qualifier::None);
        check("arn:aws:states:eu-west-1:1:stateMachine:m:7", "m", Qualifier::Version(7));
        check("arn:aws:states:eu-west-1:1:stateMachine:m:prod", "m", Qualifier::Alias("prod"));
        assert!(machine("m").is_err());
        assert!(machine("arn:aws:states:eu-west-1:1:activity:m").is_err());
        assert!(machine("arn:aws:states:::").is_err());
    }
}
