//! Who may make an account, over a real SQLite store.

use std::net::Ipv4Addr;

use super::*;
use crate::core::tests::Bench;
use crate::core::{HubSettings, Visitor};

fn peer(host: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(192, 0, 2, host))
}

fn settings(registration: RegistrationPolicy) -> HubSettings {
    HubSettings { registration, ..HubSettings::default() }
}

fn newcomer(username: &str, invite: Option<&SecretString>) -> Newcomer {
    let word = || SecretString::from("correct horse");
    let username = username.to_owned();
    Newcomer { username, password: word(), confirmation: word(), invite: invite.cloned() }
}

fn order(uses: u32) -> InviteOrder {
    let life = Duration::from_hours(1);
    InviteOrder { role: Role::Viewer, sees: Sees::House, note: "for the cooks".to_owned(), life, uses }
}

fn fault(fault: AccountFault) -> HubError {
    HubError::Account(fault)
}

#[tokio::test]
async fn whoever_registers_sees_the_own_devices_alone() {
    let bench = Bench::new(settings(RegistrationPolicy::Open)).await;
    let user = bench.hub.register(newcomer("maria", None), peer(1)).await.unwrap();
    assert_eq!((user.role, user.sees), (Role::Operator, Sees::Own));
    let taken = bench.hub.register(newcomer("MARIA", None), peer(1)).await.unwrap_err();
    assert_eq!(taken, fault(AccountFault::UsernameTaken));
    let password = SecretString::from("correct horse");
    bench.hub.sign_in("Maria", &password, &Visitor::at(peer(1))).await.unwrap();
}

#[tokio::test]
async fn names_and_passwords_have_rules() {
    let bench = Bench::new(settings(RegistrationPolicy::Open)).await;
    let ask = async |name: &str, password: &str, again: &str| {
        let [password, confirmation] = [password, again].map(SecretString::from);
        let newcomer = Newcomer { username: name.to_owned(), password, confirmation, invite: None };
        bench.hub.register(newcomer, peer(1)).await
    };
    let (word, long) = ("correct horse", "x".repeat(129));
    for (name, password, again, wrong) in [
        ("eve", word, word, AccountFault::UsernameTooShort),
        ("four", word, word, AccountFault::UsernameTooShort),
        ("maria", "seven77", "seven77", AccountFault::PasswordLength),
        ("maria", &long, &long, AccountFault::PasswordLength),
        ("maria", word, "correct horsf", AccountFault::PasswordMismatch),
        ("maria", word, "", AccountFault::PasswordMismatch),
    ] {
        assert_eq!(ask(name, password, again).await, Err(fault(wrong)), "{name} {password}");
    }
    for name in ["", "a b c d", "maria\n", "märia", &"x".repeat(65)] {
        let answer = ask(name, word, word).await;
        assert!(matches!(answer, Err(HubError::Invalid { field: "username", .. })), "{name}");
    }
    ask(&"x".repeat(64), &long[1..], &long[1..]).await.unwrap();
    ask("five5", word, word).await.unwrap();
}

#[tokio::test]
async fn a_network_makes_so_many_accounts_an_hour() {
    let bench = Bench::new(settings(RegistrationPolicy::Open)).await;
    for count in 0..10 {
        // What is refused as taken counts too: else names could be asked for without end.
        let answer = bench.hub.register(newcomer("maria", None), peer(1)).await;
        assert_eq!(answer.is_ok(), count == 0);
    }
    let more = bench.hub.register(newcomer("other", None), peer(1)).await;
    assert!(matches!(more, Err(HubError::TooMany { retry_after_s: 1..=361 })), "{more:?}");
    bench.hub.register(newcomer("other", None), peer(2)).await.unwrap();
}

#[tokio::test]
async fn nobody_registers_where_it_is_closed() {
    let bench = Bench::new(HubSettings::default()).await;
    let (_, secret) = bench.hub.invite(order(1), "user:admin").await.unwrap();
    for invite in [None, Some(&secret)] {
        let answer = bench.hub.register(newcomer("maria", invite), peer(1)).await;
        assert_eq!(answer, Err(fault(AccountFault::RegistrationClosed)));
    }
    assert_eq!(bench.hub.users().await.unwrap(), []);
}

#[tokio::test]
async fn an_invitation_is_good_for_its_uses_and_its_time() {
    let bench = Bench::new(settings(RegistrationPolicy::Invite)).await;
    let hub = &bench.hub;
    let none = hub.register(newcomer("maria", None), peer(1)).await;
    assert_eq!(none, Err(fault(AccountFault::InviteRequired)));
    let (invite, secret) = hub.invite(order(2), "user:admin").await.unwrap();
    assert!(secret.expose_secret().starts_with("inv_"));
    let maria = hub.register(newcomer("maria", Some(&secret)), peer(1)).await.unwrap();
    assert_eq!((maria.role, maria.sees), (Role::Viewer, Sees::House));
    let taken = hub.register(newcomer("maria", Some(&secret)), peer(1)).await;
    assert_eq!(taken, Err(fault(AccountFault::UsernameTaken)), "which uses nothing up");
    assert_eq!(hub.invites().await.unwrap()[0].used, 1);
    // At a time: the last use is one person's.
    let tries = (0..6_u8).map(|n| {
        let (hub, newcomer) = (hub.clone(), newcomer(&format!("cook{n}"), Some(&secret)));
        tokio::spawn(async move { hub.register(newcomer, peer(n + 10)).await })
    });
    let mut made = 0;
    for answer in tries.collect::<Vec<_>>() {
        match answer.await.unwrap() {
            Ok(_) => made += 1,
            Err(error) => assert_eq!(error, fault(AccountFault::InviteInvalid)),
        }
    }
    assert_eq!((made, hub.invites().await.unwrap()[0].used), (1, 2));

    let (late, secret) = hub.invite(order(1), "user:admin").await.unwrap();
    assert_eq!(hub.invites().await.unwrap().len(), 2);
    bench.pass(Duration::from_hours(1));
    for wrong in [&secret, &SecretString::from("inv_nothing"), &SecretString::from("")] {
        let answer = hub.register(newcomer("later", Some(wrong)), peer(2)).await;
        assert_eq!(answer, Err(fault(AccountFault::InviteInvalid)));
    }
    hub.uninvite(&late.id).await.unwrap();
    hub.uninvite(&invite.id).await.unwrap();
    assert_eq!(hub.uninvite(&invite.id).await, Err(HubError::NotFound("invite")));
    let again = hub.register(newcomer("again", Some(&secret)), peer(3)).await;
    assert_eq!(again, Err(fault(AccountFault::InviteInvalid)));
}

#[tokio::test]
async fn an_invitation_has_bounds() {
    let bench = Bench::new(HubSettings::default()).await;
    let wrong = [
        (InviteOrder { uses: 0, ..order(1) }, "uses"),
        (InviteOrder { uses: 1001, ..order(1) }, "uses"),
        (InviteOrder { life: Duration::ZERO, ..order(1) }, "expires_in_s"),
        (InviteOrder { life: Duration::MAX, ..order(1) }, "expires_in_s"),
        (InviteOrder { note: "x".repeat(201), ..order(1) }, "note"),
    ];
    for (order, wanted) in wrong {
        let answer = bench.hub.invite(order, "user:admin").await;
        assert!(matches!(answer, Err(HubError::Invalid { field, .. }) if field == wanted), "{wanted}");
    }
}
