//! A listener goes on when others would give up.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;
use std::time::Duration;

use crate::support::{command, itself, listen, soon};
use tokio::io::AsyncWriteExt;
use xmpp_net::{Connector, Listener};

#[tokio::test]
async fn connections_that_wait_are_accepted_one_after_the_other() {
    let (listener, address) = listen().await;
    let addresses = [address];
    let mut waiting = Vec::new();
    for _ in 0..20 {
        waiting.push(soon(Connector::new().connect_to(&addresses)).await.unwrap());
    }
    for _ in 0..20 {
        soon(listener.accept()).await.unwrap();
    }
}

#[tokio::test]
async fn an_address_in_use_cannot_be_bound() {
    let (_listener, address) = listen().await;
    Listener::bind(address).await.unwrap_err();
}

#[test]
#[cfg(target_os = "linux")]
fn running_out_of_file_descriptors_delays_a_connection_and_loses_none() {
    let mut limited = vec![
        "sh".to_owned(),
        "-c".to_owned(),
        "ulimit -n 64 && exec \"$@\"".to_owned(),
        "sh".to_owned(),
    ];
    limited.extend(itself("listening::a_listener_without_file_descriptors"));
    let mut child = command(&limited).stdout(Stdio::piped()).spawn().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let address = loop {
        let mut line = String::new();
        assert_ne!(
            output.read_line(&mut line).unwrap(),
            0,
            "the listener ended"
        );
        if let Some(address) = line.trim().rsplit_once("listening at ") {
            break address.1.to_owned();
        }
    };
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let mut greeting = String::new();
    stream.read_to_string(&mut greeting).unwrap();
    assert_eq!(greeting, "late, but here");
    let mut rest = String::new();
    output.read_to_string(&mut rest).unwrap();
    assert!(child.wait().unwrap().success(), "{rest}");
}

#[tokio::test]
#[ignore = "run by running_out_of_file_descriptors_delays_a_connection_and_loses_none with few of them"]
async fn a_listener_without_file_descriptors() {
    let (listener, address) = listen().await;
    let mut hoard = Vec::new();
    let full = loop {
        match File::open("/dev/null") {
            Ok(file) => hoard.push(file),
            Err(error) => break error,
        }
        assert!(hoard.len() < 64, "there is no limit");
    };
    assert_eq!(full.raw_os_error(), Some(24), "{full}");
    println!("listening at {address}");
    let mut accepting = tokio::spawn(async move { listener.accept().await });
    let early = tokio::time::timeout(Duration::from_millis(700), &mut accepting).await;
    assert!(
        early.is_err(),
        "accepted without a descriptor, or gave up: {early:?}"
    );
    drop(hoard);
    let mut connection = soon(accepting).await.unwrap().unwrap();
    connection.write_all(b"late, but here").await.unwrap();
    connection.shutdown().await.unwrap();
}
