//! What a login takes besides a mechanism: tasks (XEP-0388 §2.6.3), such as a second factor, and those by which a server
//! gets keys for a stronger hash function (XEP-0480).

use alloc::borrow::Cow;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use xmpp_sasl::{Condition, Error as SaslError, Hash, MessageError, Upgrade, wire};
use xmpp_xml::{Element, ElementRef, FromXml, ToXml, Writer};

use super::component::Login;
use super::error::Error;
use super::event::{Event, Ticket};
use super::negotiation::{Answer, Config, Context, Question, violation};
use crate::error::StreamCondition;
use crate::jid::Jid;
use crate::ns;

/// Where a login stands that takes tasks.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub enum TaskStep {
    /// Receiver: the mechanism is done. Answer what else there is to do: [`TaskAnswer::Demand`] or
    /// [`TaskAnswer::Done`].
    Authenticated,
    /// Initiator: the server demands one of these. Answer [`TaskAnswer::Begin`] with one that was
    /// [told](super::Sasl2::task), or [`TaskAnswer::Refused`].
    Demanded {
        /// The names of the tasks.
        tasks: Vec<String>,
        /// What the server has to say to people.
        text: Option<String>,
    },
    /// Receiver: the client begins one of the tasks that were demanded.
    Begun {
        /// The name of the task.
        task: String,
        /// What came along with it.
        data: Vec<Element>,
    },
    /// The peer's data of the task.
    Data(Vec<Element>),
}

/// How a login goes on: the answer to [`Event::Task`].
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub enum TaskAnswer {
    /// Receiver: one of these tasks comes next. With what people are told.
    Demand {
        /// The names of the tasks; one at least.
        tasks: Vec<String>,
        /// What people are told, if anything.
        text: Option<String>,
    },
    /// Initiator: begins that task, with what goes along.
    Begin {
        /// The name of the task.
        task: String,
        /// What goes along, if anything.
        data: Option<Element>,
    },
    /// Sends data of the task; the peer's comes back.
    Data(Element),
    /// Receiver: nothing else is to be done.
    Done,
    /// The login ends. A receiver says this, an initiator that it gives up.
    Refused(Condition),
}

/// What belongs to a task may be secret and is not shown.
impl fmt::Debug for TaskStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Authenticated => f.write_str("Authenticated"),
            Self::Demanded { tasks, text } => f
                .debug_struct("Demanded")
                .field("tasks", tasks)
                .field("text", text)
                .finish(),
            Self::Begun { task, .. } => write!(f, "Begun({task:?}, ..)"),
            Self::Data(_) => f.write_str("Data(..)"),
        }
    }
}

/// What belongs to a task may be secret and is not shown.
impl fmt::Debug for TaskAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Demand { tasks, text } => f
                .debug_struct("Demand")
                .field("tasks", tasks)
                .field("text", text)
                .finish(),
            Self::Begin { task, .. } => write!(f, "Begin({task:?}, ..)"),
            Self::Data(_) => f.write_str("Data(..)"),
            Self::Done => f.write_str("Done"),
            Self::Refused(condition) => write!(f, "Refused({condition})"),
        }
    }
}

/// Whom an answer leads to.
pub(super) enum Next {
    Application(Ticket),
    Peer,
    /// Nobody: all is done.
    Nothing,
    Refused(Condition),
}

/// The receiver's side.
#[derive(Default)]
pub(super) struct Tasks {
    stage: Stage,
    /// The last data of the mechanism, until it is told.
    data: Option<Vec<u8>>,
    /// The hash functions for which the client gives keys.
    upgrades: Vec<Hash>,
}

#[derive(Default)]
enum Stage {
    #[default]
    None,
    /// The application says what is demanded.
    Asked,
    Demanded(Vec<String>),
    /// The client has begun one; the application or the client has data to send.
    Running,
    /// The application says whether it has keys for that.
    UpgradeAsked(Hash),
    UpgradeDemanded(Upgrade),
    UpgradeRunning(Upgrade),
}

impl Tasks {
    /// The mechanism is done; for a client that wishes to give keys for those hash functions.
    pub(super) fn begin(
        &mut self,
        data: Option<Vec<u8>>,
        wishes: Vec<Hash>,
        account: &Jid,
        context: &mut Context<'_>,
    ) -> Result<Next, Error> {
        let Config::Receiver(config) = &context.shared.config else {
            return Ok(Next::Nothing);
        };
        let is_offered = |hash: &Hash| config.upgrades.0.contains(hash);
        (self.data, self.upgrades) = (data, wishes);
        self.upgrades.retain(is_offered);
        if !config.tasks {
            return self.upgrade(account, context);
        }
        self.stage = Stage::Asked;
        Ok(ask(TaskStep::Authenticated, account, context))
    }

    /// What of the mechanism was not told with a task.
    pub(super) fn take_data(&mut self) -> Option<Vec<u8>> {
        self.data.take()
    }

    pub(super) fn is_running(&self) -> bool {
        !matches!(self.stage, Stage::None)
    }

    /// Something arrived.
    pub(super) fn handle(
        &mut self,
        element: ElementRef<'_>,
        account: &Jid,
        context: &mut Context<'_>,
    ) -> Result<Next, Error> {
        let task = element.attribute("task").unwrap_or_default();
        match (element.name(), core::mem::take(&mut self.stage)) {
            ("abort", _) => Ok(Next::Refused(Condition::Aborted)),
            ("next", Stage::Demanded(tasks)) if tasks.iter().any(|known| *known == *task) => {
                self.stage = Stage::Running;
                let step = TaskStep::Begun {
                    task: task.into_owned(),
                    data: data(element),
                };
                Ok(ask(step, account, context))
            }
            ("next", Stage::UpgradeDemanded(upgrade)) if task == upgrade.task() => {
                context.write(|writer| {
                    writer.start("task-data", ns::SASL2);
                    writer.payload(&Salt::of(&upgrade)).end();
                })?;
                self.stage = Stage::UpgradeRunning(upgrade);
                Ok(Next::Peer)
            }
            ("task-data", Stage::Running) => {
                self.stage = Stage::Running;
                Ok(ask(TaskStep::Data(data(element)), account, context))
            }
            ("task-data", Stage::UpgradeRunning(upgrade)) => {
                let answer = element.child("hash", ns::SCRAM_UPGRADE);
                let answer = answer.and_then(|hash| wire::decode(hash.text().trim()).ok());
                let stored = answer.and_then(|answer| upgrade.handle_answer(&answer).ok());
                // The client is who it says all the same (XEP-0480 §4).
                if let Some(credentials) = stored {
                    context.events.push_back(Event::Upgraded {
                        account: account.clone(),
                        credentials,
                    });
                }
                self.upgrade(account, context)
            }
            ("next", Stage::Demanded(_) | Stage::UpgradeDemanded(_)) => {
                Ok(Next::Refused(Condition::MalformedRequest))
            }
            _ => {
                let text = "not the next step of a task";
                Err(violation(StreamCondition::PolicyViolation, text))
            }
        }
    }

    /// The application answered.
    pub(super) fn answer(
        &mut self,
        answer: Answer<'_>,
        account: &Jid,
        context: &mut Context<'_>,
    ) -> Result<Next, Error> {
        match (answer, &self.stage) {
            (Answer::Task(TaskAnswer::Demand { tasks, text }), _) => {
                let names: Vec<&str> = tasks.iter().map(String::as_str).collect();
                self.demand(&names, text.as_deref(), context)?;
                self.stage = Stage::Demanded(tasks);
                Ok(Next::Peer)
            }
            (Answer::Task(TaskAnswer::Data(data)), Stage::Running) => {
                write_data(&data, context)?;
                Ok(Next::Peer)
            }
            (Answer::Task(TaskAnswer::Refused(condition)), _) => Ok(Next::Refused(condition)),
            (Answer::Task(TaskAnswer::Done), _) => self.upgrade(account, context),
            (Answer::Upgrade(false), _) => self.upgrade(account, context),
            (Answer::Upgrade(true), Stage::UpgradeAsked(hash)) => {
                let hash = *hash;
                self.demand_upgrade(hash, account, context)
            }
            // Data of a task that has not begun.
            _ => Ok(Next::Refused(Condition::TemporaryAuthFailure)),
        }
    }

    /// The application lacks the keys for that hash function.
    fn demand_upgrade(
        &mut self,
        hash: Hash,
        account: &Jid,
        context: &mut Context<'_>,
    ) -> Result<Next, Error> {
        let iterations = match &context.shared.config {
            Config::Receiver(config) => config.upgrades.1,
            Config::Initiator(_) => 0,
        };
        let random = context.shared.entropy.bytes();
        let salt = random.get(..16).unwrap_or_default();
        let Ok(upgrade) = Upgrade::new(hash, salt, iterations) else {
            return self.upgrade(account, context);
        };
        self.demand(&[upgrade.task()], None, context)?;
        self.stage = Stage::UpgradeDemanded(upgrade);
        Ok(Next::Peer)
    }

    /// The next of the keys that the client would give.
    fn upgrade(&mut self, account: &Jid, context: &mut Context<'_>) -> Result<Next, Error> {
        self.stage = Stage::None;
        if self.upgrades.is_empty() {
            return Ok(Next::Nothing);
        }
        let hash = self.upgrades.remove(0);
        self.stage = Stage::UpgradeAsked(hash);
        let ticket = context.shared.ticket(Question::Upgrade);
        context.events.push_back(Event::Upgrade {
            ticket,
            account: account.clone(),
            hash,
        });
        Ok(Next::Application(ticket))
    }

    fn demand(
        &mut self,
        tasks: &[&str],
        text: Option<&str>,
        context: &mut Context<'_>,
    ) -> Result<(), Error> {
        let data = self.data.take();
        context.write(|writer| {
            writer.start("continue", ns::SASL2);
            if let Some(data) = data {
                writer.start("additional-data", ns::SASL2);
                writer.text(&wire::encode(&data)).end();
            }
            writer.start("tasks", ns::SASL2);
            for task in tasks {
                writer.start("task", ns::SASL2).text(task).end();
            }
            writer.end();
            if let Some(text) = text {
                writer.start("text", ns::SASL2).text(text).end();
            }
            writer.end();
        })
    }
}

fn ask(step: TaskStep, account: &Jid, context: &mut Context<'_>) -> Next {
    let ticket = context.shared.ticket(Question::Task);
    context.events.push_back(Event::Task {
        ticket,
        account: account.clone(),
        step,
    });
    Next::Application(ticket)
}

fn data(element: ElementRef<'_>) -> Vec<Element> {
    element.children().map(ElementRef::to_element).collect()
}

fn write_data(data: &Element, context: &mut Context<'_>) -> Result<(), Error> {
    context.write(|writer| {
        writer.start("task-data", ns::SASL2);
        writer.element(data.root()).end();
    })
}

/// Whether an answer is one of that side's.
pub(super) fn fits(answer: &TaskAnswer, config: &Config) -> bool {
    match (answer, config) {
        (TaskAnswer::Demand { tasks, .. }, Config::Receiver(_)) => !tasks.is_empty(),
        (TaskAnswer::Done, Config::Receiver(_))
        | (TaskAnswer::Begin { .. }, Config::Initiator(_)) => true,
        (TaskAnswer::Data(_) | TaskAnswer::Refused(_), _) => true,
        _ => false,
    }
}

/// Receiver: lists the keys that clients may give.
pub(super) fn list_upgrades(hashes: &[Hash], writer: &mut Writer<'_>) {
    for hash in hashes {
        writer.start("upgrade", ns::SASL_UPGRADE);
        writer.text(Upgrade::task_name(*hash)).end();
    }
}

/// The hash functions of upgrades that are offered, or asked for.
pub(super) fn upgrades(parent: ElementRef<'_>) -> Vec<Hash> {
    let tasks = parent.children();
    let tasks = tasks.filter(|task| task.is("upgrade", ns::SASL_UPGRADE));
    let mut hashes = Vec::new();
    for hash in tasks.filter_map(|task| Upgrade::hash_of_task(task.text().trim())) {
        if !hashes.contains(&hash) {
            hashes.push(hash);
        }
    }
    hashes
}

/// The initiator's side.
#[derive(Default)]
pub(super) struct Work {
    /// The hash functions for which it has offered keys.
    upgrades: Vec<Hash>,
    /// The keys that are being made; the application does all other tasks.
    upgrade: Option<Hash>,
}

impl Work {
    pub(super) fn new(upgrades: Vec<Hash>) -> Self {
        Self {
            upgrades,
            upgrade: None,
        }
    }

    /// The server demands a task.
    pub(super) fn begin(
        &mut self,
        element: ElementRef<'_>,
        known: &[String],
        context: &mut Context<'_>,
    ) -> Result<Next, Error> {
        let tasks = element.child("tasks", ns::SASL2);
        let tasks = tasks.into_iter().flat_map(ElementRef::children);
        let tasks = tasks.filter(|task| task.is("task", ns::SASL2));
        let tasks: Vec<String> = tasks.map(|task| task.text().trim().to_string()).collect();
        let mut hashes = tasks.iter().filter_map(|task| Upgrade::hash_of_task(task));
        self.upgrade = hashes.find(|hash| self.upgrades.contains(hash));
        if let Some(hash) = self.upgrade {
            // Once each.
            self.upgrades.retain(|offered| *offered != hash);
            write_next(Upgrade::task_name(hash), None, context)?;
            return Ok(Next::Peer);
        }
        let (Config::Initiator(config), true) = (
            &context.shared.config,
            tasks.iter().any(|task| known.contains(task)),
        ) else {
            return Err(Error::UnknownTasks(tasks));
        };
        let text = element.child("text", ns::SASL2);
        let text = text.map(|text| text.text().into_owned());
        let account = config.jid.bare();
        Ok(ask(TaskStep::Demanded { tasks, text }, &account, context))
    }

    /// The server's data of the task.
    pub(super) fn handle_data(
        &mut self,
        element: ElementRef<'_>,
        context: &mut Context<'_>,
    ) -> Result<Next, Error> {
        let Config::Initiator(config) = context.shared.config.clone() else {
            return Ok(Next::Nothing);
        };
        let Some(hash) = self.upgrade.take() else {
            let step = TaskStep::Data(data(element));
            return Ok(ask(step, &config.jid.bare(), context));
        };
        let malformed = || Error::Sasl(MessageError::Malformed("salt of an upgrade").into());
        let salt = element.child("salt", ns::SCRAM_UPGRADE);
        let salt = salt.and_then(|salt| salt.read::<Salt<'_>>().ok());
        let salt = salt.ok_or_else(malformed)?;
        let bytes = wire::decode(salt.salt.trim());
        let bytes = bytes.map_err(|_| Error::Sasl(MessageError::Base64("salt").into()))?;
        let upgrade = Upgrade::new(hash, &bytes, salt.iterations).map_err(|_| malformed())?;
        let Login::Account(credentials) = &config.login else {
            return Err(Error::Sasl(SaslError::KeysDoNotFit));
        };
        let answer = upgrade.answer(credentials, &config.policy);
        let answer = wire::encode(&answer.map_err(Error::Sasl)?);
        context.write(|writer| {
            writer.start("task-data", ns::SASL2);
            writer.start("hash", ns::SCRAM_UPGRADE);
            writer.text(&answer).end().end();
        })?;
        Ok(Next::Peer)
    }

    pub(super) fn answer(
        &mut self,
        answer: TaskAnswer,
        context: &mut Context<'_>,
    ) -> Result<Next, Error> {
        match answer {
            TaskAnswer::Begin { task, data } => write_next(&task, data.as_ref(), context)?,
            TaskAnswer::Data(data) => write_data(&data, context)?,
            TaskAnswer::Refused(condition) => return Ok(Next::Refused(condition)),
            TaskAnswer::Demand { .. } | TaskAnswer::Done => {}
        }
        Ok(Next::Peer)
    }
}

fn write_next(task: &str, data: Option<&Element>, context: &mut Context<'_>) -> Result<(), Error> {
    context.write(|writer| {
        writer.start("next", ns::SASL2).attribute("task", task);
        if let Some(data) = data {
            writer.element(data.root());
        }
        writer.end();
    })
}

/// What keys are to be made with (XEP-0480 §3).
#[derive(FromXml, ToXml)]
#[xml(name = "salt", namespace = ns::SCRAM_UPGRADE)]
struct Salt<'a> {
    #[xml(attribute)]
    iterations: u32,
    #[xml(text)]
    salt: Cow<'a, str>,
}

impl Salt<'_> {
    fn of(upgrade: &Upgrade) -> Self {
        Self {
            iterations: upgrade.iterations(),
            salt: Cow::Owned(wire::encode(upgrade.salt())),
        }
    }
}
