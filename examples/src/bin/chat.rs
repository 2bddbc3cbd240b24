//! Writes to one contact and shows what it writes back.

use std::fmt;
use std::io::{BufRead, Write};
use std::process::ExitCode;

use clap::Parser;
use tokio::sync::mpsc;
use xmpp_client::Client;
use xmpp_core::jid::Jid;
use xmpp_core::stanza::{MessageBuilder, MessageType, Presence, PresenceType, Stanza};
use xmpp_examples::account::AccountArguments;
use xmpp_examples::contacts::Contacts;
use xmpp_examples::failure::{EXIT_CODES, Failure, exit};
use xmpp_examples::program;
use xmpp_examples::session::{answer, describe, handle_basics, send_presence};
use xmpp_examples::table::shown;

/// Chats with one contact: sends each line of standard input, and prints what arrives.
///
/// Becomes a contact of the other side and accepts it as one. Ends with standard input, or with SIGINT or SIGTERM. The first
/// line of output is the full address that is logged in.
#[derive(Parser)]
#[command(version, after_help = EXIT_CODES)]
struct Arguments {
    #[command(flatten)]
    account: AccountArguments,
    /// With whom to chat
    #[arg(value_name = "JID")]
    contact: Jid,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    exit("chat", program::run(chat(arguments)))
}

async fn chat(arguments: Arguments) -> Result<(), Failure> {
    let contact = arguments.contact;
    let (client, mut incoming) =
        Client::connect(handle_basics(arguments.account.config()?)).await?;
    let mut contacts = Contacts::load(&client).await?;
    let disco = describe("client", "console", "Chat", &[]);
    let own = client.jid();
    say(&own)?;
    let _ = send_presence(&client, PresenceType::Available, None).await?;
    if !contacts.seen_by_us(contact.as_ref()) {
        let _ = send_presence(
            &client,
            PresenceType::Subscribe,
            Some(contact.to_bare_ref()),
        )
        .await?;
    }
    let mut lines = lines();
    let stop = program::stopped(|| {});
    tokio::pin!(stop);
    loop {
        tokio::select! {
            stopped = &mut stop => {
                stopped?;
                break;
            }
            line = lines.recv() => match line {
                Some(line) => write(&client, &contact, &line).await?,
                None => break,
            },
            stanza = incoming.next() => {
                let element = stanza?;
                match Stanza::parse(element.root()) {
                    Ok(Stanza::Message(message)) => {
                        if let (Some(from), Some(body)) = (message.from(), message.body()) {
                            say(format_args!("{from}: {}", shown(&body, usize::MAX)))?;
                        }
                    }
                    Ok(Stanza::Presence(presence)) => handle_presence(&client, &contact, &presence).await?,
                    Ok(Stanza::Iq(iq)) => answer(&client, &own, &disco, &mut contacts, &element, &iq).await?,
                    Err(_) => {}
                }
            }
        }
    }
    let _ = send_presence(&client, PresenceType::Unavailable, None).await?;
    client.close().await;
    Ok(())
}

async fn handle_presence(
    client: &Client,
    contact: &Jid,
    presence: &Presence<'_>,
) -> Result<(), Failure> {
    let Some(from) = presence.from() else {
        return Ok(());
    };
    match presence.kind() {
        PresenceType::Available => say(format_args!("{from} is available")),
        PresenceType::Unavailable => say(format_args!("{from} is unavailable")),
        PresenceType::Subscribe => {
            let known = from.to_bare() == contact.to_bare_ref();
            let answer = if known {
                PresenceType::Subscribed
            } else {
                PresenceType::Unsubscribed
            };
            let _ = send_presence(client, answer, Some(from.to_bare())).await?;
            Ok(())
        }
        _ => Ok(()),
    }
}

async fn write(client: &Client, contact: &Jid, line: &str) -> Result<(), Failure> {
    let sending = client.send(
        &MessageBuilder::new(MessageType::Chat)
            .to(contact)
            .body(line),
    );
    match sending.await {
        Ok(_) => Ok(()),
        Err(xmpp_client::SendError::Write(reason)) => say(format_args!("not sent: {reason}")),
        Err(reason) => Err(reason.into()),
    }
}

/// The lines of standard input, which is read by a thread of its own: it cannot be read without blocking.
fn lines() -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel(16);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    lines
}

fn say(line: impl fmt::Display) -> Result<(), Failure> {
    let mut out = std::io::stdout();
    writeln!(out, "{line}")
        .and_then(|()| out.flush())
        .map_err(Failure::local)
}
