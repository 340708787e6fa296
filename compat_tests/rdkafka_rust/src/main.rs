//! The crate rdkafka (Rust over librdkafka) for the shared suite; see compat_tests/programs.py for
//! what is asked and answered.

use std::mem::ManuallyDrop;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use base64::{Engine, engine::general_purpose::STANDARD};
use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, NewPartitions, NewTopic, ResourceSpecifier,
    TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::{ClientConfig, FromClientConfig};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{Offset, TopicPartitionList};
use serde_json::{Value, json};

const TIMEOUT: Duration = Duration::from_secs(30);

type Answer = Result<Value, KafkaError>;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let bootstrap = &arguments[1];
    if arguments[2] == "member" {
        let instance = arguments.get(6).map(String::as_str);
        return member(bootstrap, &arguments[3], &arguments[4], &arguments[5], instance);
    }
    let asked: Value = serde_json::from_reader(std::io::stdin()).expect("arguments in JSON");
    match answer(bootstrap, &arguments[2], &asked).await {
        Ok(result) => println!("{}", json!({ "result": result })),
        Err(error) => match code(&error) {
            Some(code) => {
                println!("{}", json!({ "error": { "code": code, "text": error.to_string() } }));
            }
            None => {
                eprintln!("{error}");
                std::process::exit(1);
            }
        },
    }
}

/// What the broker answered; the library's own errors have negative numbers.
fn code(error: &KafkaError) -> Option<i32> {
    let code = match error {
        KafkaError::AdminOp(code) => *code,
        other => other.rdkafka_error_code()?,
    };
    match code {
        // With a consumer that must not reset, this is how it tells an offset out of range.
        RDKafkaErrorCode::AutoOffsetReset => Some(1),
        code => (code as i32 > 0).then_some(code as i32),
    }
}

fn settings(bootstrap: &str, more: &[(&str, &str)]) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap);
    for (key, value) in more {
        config.set(*key, *value);
    }
    config
}

/// Never dropped, as all that serves one operation: that takes a while, and the process ends.
fn consumer(bootstrap: &str, group: &str) -> Result<ManuallyDrop<BaseConsumer>, KafkaError> {
    let more = [
        ("group.id", group),
        ("enable.auto.commit", "false"),
        ("auto.offset.reset", "error"),
        ("check.crcs", "true"),
    ];
    settings(bootstrap, &more).create().map(ManuallyDrop::new)
}

fn number(asked: &Value, name: &str) -> i64 {
    asked[name].as_i64().unwrap_or(0)
}

fn text<'a>(asked: &'a Value, name: &str) -> &'a str {
    asked[name].as_str().unwrap_or_else(|| panic!("no {name}"))
}

fn place(topic: &str, partition: i32, offset: Offset) -> Result<TopicPartitionList, KafkaError> {
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, partition, offset)?;
    Ok(list)
}

async fn answer(bootstrap: &str, operation: &str, asked: &Value) -> Answer {
    match operation {
        "create_topic" | "delete_topic" | "add_partitions" | "configs" | "alter_config"
        | "delete_group" | "delete_records" => administer(bootstrap, operation, asked).await,
        "produce" => produce(bootstrap, asked).await,
        "consume" => consume(bootstrap, asked),
        "journey" => journey(bootstrap, asked).await,
        _ => look(bootstrap, operation, asked),
    }
}

async fn administer(bootstrap: &str, operation: &str, asked: &Value) -> Answer {
    let admin: AdminClient<DefaultClientContext> =
        AdminClient::from_config(&settings(bootstrap, &[]))?;
    let admin = ManuallyDrop::new(admin);
    let options = AdminOptions::new();
    let configs = || asked["configs"].as_object().into_iter().flatten();
    match operation {
        "create_topic" => {
            let replicas = TopicReplication::Fixed(number(asked, "replication_factor") as i32);
            let partitions = number(asked, "partitions") as i32;
            let mut topic = NewTopic::new(text(asked, "topic"), partitions, replicas);
            for (key, value) in configs() {
                topic = topic.set(key, value.as_str().expect("a value"));
            }
            refused(admin.create_topics([&topic], &options).await?)
        }
        "delete_topic" => refused(admin.delete_topics(&[text(asked, "topic")], &options).await?),
        "add_partitions" => {
            let total = number(asked, "partitions") as usize;
            let wanted = NewPartitions::new(text(asked, "topic"), total);
            refused(admin.create_partitions([&wanted], &options).await?)
        }
        "configs" => {
            let resource = ResourceSpecifier::Topic(text(asked, "topic"));
            let mut described = admin.describe_configs([&resource], &options).await?;
            let entries = described.remove(0).map_err(KafkaError::AdminOp)?.entries;
            Ok(entries.into_iter().map(|entry| (entry.name, entry.value)).collect())
        }
        "alter_config" => {
            let mut wanted = AlterConfig::new(ResourceSpecifier::Topic(text(asked, "topic")));
            for (key, value) in configs() {
                wanted = wanted.set(key, value.as_str().expect("a value"));
            }
            let mut altered = admin.alter_configs([&wanted], &options).await?;
            altered.remove(0).map_err(|(_, code)| KafkaError::AdminOp(code))?;
            Ok(Value::Null)
        }
        "delete_group" => refused(admin.delete_groups(&[text(asked, "group")], &options).await?),
        _ => {
            let before = Offset::Offset(number(asked, "at"));
            let partition = number(asked, "partition") as i32;
            let deleted =
                admin.delete_records(&place(text(asked, "topic"), partition, before)?, &options);
            deleted.await?.elements()[0].error()?;
            Ok(Value::Null)
        }
    }
}

fn refused(mut answers: Vec<Result<String, (String, RDKafkaErrorCode)>>) -> Answer {
    answers.remove(0).map_err(|(_, code)| KafkaError::AdminOp(code))?;
    Ok(Value::Null)
}

/// Questions that a consumer asks.
fn look(bootstrap: &str, operation: &str, asked: &Value) -> Answer {
    let consumer = consumer(bootstrap, asked["group"].as_str().unwrap_or("not-used"))?;
    match operation {
        "topics" => {
            let metadata = consumer.fetch_metadata(None, TIMEOUT)?;
            let sizes = metadata.topics().iter();
            Ok(sizes.map(|topic| (topic.name().to_owned(), topic.partitions().len())).collect())
        }
        "watermarks" => {
            let partition = number(asked, "partition") as i32;
            let (first, end) =
                consumer.fetch_watermarks(text(asked, "topic"), partition, TIMEOUT)?;
            Ok(json!([first, end]))
        }
        "offset_for_time" => {
            let time = number(asked, "timestamp_ms");
            Ok(json!(offset_for_time(&consumer, text(asked, "topic"), time)?))
        }
        "commit" => {
            let mut list = TopicPartitionList::new();
            let mut entry = list.add_partition(text(asked, "topic"), 0);
            entry.set_offset(Offset::Offset(number(asked, "at")))?;
            entry.set_metadata(text(asked, "metadata"));
            consumer.commit(&list, CommitMode::Sync)?;
            Ok(Value::Null)
        }
        "committed" => {
            let mut list = TopicPartitionList::new();
            for partition in asked["list"].as_array().into_iter().flatten() {
                list.add_partition(text(asked, "topic"), partition.as_i64().unwrap_or(0) as i32);
            }
            let found = consumer.committed_offsets(list, TIMEOUT)?;
            let entries = found.elements();
            let places = entries.iter().map(|entry| {
                let offset = if let Offset::Offset(offset) = entry.offset() { offset } else { -1 };
                json!({ "offset": offset, "metadata": entry.metadata() })
            });
            Ok(places.collect())
        }
        "list_groups" => {
            let listed = consumer.fetch_group_list(None, TIMEOUT)?;
            Ok(listed.groups().iter().map(|group| group.name()).collect())
        }
        "describe_group" => describe_group(&consumer, text(asked, "group")),
        _ => panic!("rdkafka has no {operation}"),
    }
}

fn offset_for_time(consumer: &BaseConsumer, topic: &str, time: i64) -> Result<i64, KafkaError> {
    let found = consumer.offsets_for_times(place(topic, 0, Offset::Offset(time))?, TIMEOUT)?;
    Ok(if let Offset::Offset(offset) = found.elements()[0].offset() { offset } else { -1 })
}

fn describe_group(consumer: &BaseConsumer, group: &str) -> Answer {
    let listed = consumer.fetch_group_list(Some(group), TIMEOUT)?;
    let Some(group) = listed.groups().first() else {
        return Ok(json!({ "state": "Dead", "members": 0, "assigned": [] }));
    };
    let assignments = group.members().iter().filter_map(|member| member.assignment());
    let assigned: Vec<i32> = assignments.flat_map(assigned_partitions).collect();
    Ok(json!({
        "state": group.state(), "members": group.members().len(), "assigned": assigned,
    }))
}

/// The assignment's version, then topics, each a name and its partitions.
fn assigned_partitions(assignment: &[u8]) -> Vec<i32> {
    fn take<'a>(rest: &mut &'a [u8], count: usize) -> &'a [u8] {
        let (taken, left) = rest.split_at(count);
        *rest = left;
        taken
    }
    fn int(rest: &mut &[u8]) -> i32 {
        i32::from_be_bytes(take(rest, 4).try_into().expect("four bytes"))
    }
    let mut partitions = Vec::new();
    if assignment.is_empty() {
        return partitions; // not synchronised yet
    }
    let mut rest = &assignment[2..];
    for _ in 0..int(&mut rest) {
        let length = i16::from_be_bytes(take(&mut rest, 2).try_into().expect("two bytes"));
        take(&mut rest, length as usize);
        for _ in 0..int(&mut rest) {
            partitions.push(int(&mut rest));
        }
    }
    partitions
}

fn bytes(text: &Value) -> Option<Vec<u8>> {
    text.as_str().map(|text| STANDARD.decode(text).expect("base64"))
}

async fn produce(bootstrap: &str, asked: &Value) -> Answer {
    let idempotent = asked["idempotent"].as_bool().unwrap_or(false).to_string();
    let more = [
        ("acks", "all"),
        ("compression.type", asked["codec"].as_str().unwrap_or("none")),
        ("enable.idempotence", idempotent.as_str()),
        ("message.max.bytes", "8388608"),
        ("queue.buffering.max.messages", "1000000"),
    ];
    let producer: FutureProducer = settings(bootstrap, &more).create()?;
    let producer = ManuallyDrop::new(producer);
    let mut sent = Vec::new();
    for fields in asked["records"].as_array().into_iter().flatten() {
        let (key, value) = (bytes(&fields["key"]), bytes(&fields["value"]));
        let mut record = FutureRecord::to(text(asked, "topic"));
        record.key = key.as_ref();
        record.payload = value.as_ref();
        record.partition = asked["partition"].as_i64().map(|partition| partition as i32);
        record.timestamp = fields["timestamp_ms"].as_i64();
        let mut headers = OwnedHeaders::new();
        for header in fields["headers"].as_array().into_iter().flatten() {
            let value = bytes(&header["value"]);
            headers = headers.insert(Header { key: text(header, "key"), value: value.as_ref() });
        }
        record.headers = Some(headers);
        sent.push(producer.send_result(record).map_err(|(error, _)| error)?);
    }
    let mut positions = Vec::new();
    for delivery in sent {
        let landed = delivery.await.map_err(|_| KafkaError::Canceled)?;
        let landed = landed.map_err(|(error, _)| error)?;
        positions.push(json!([landed.partition, landed.offset]));
    }
    Ok(positions.into())
}

/// Hands `count` messages to `take`; past the deadline the test has failed.
fn read(
    consumer: &BaseConsumer,
    count: i64,
    mut take: impl FnMut(&BorrowedMessage<'_>),
) -> Result<(), KafkaError> {
    let deadline = Instant::now() + TIMEOUT;
    let mut left = count;
    while left > 0 {
        assert!(Instant::now() < deadline, "{left} of {count} records did not come");
        if let Some(message) = consumer.poll(Duration::from_millis(500)) {
            take(&message?);
            left -= 1;
        }
    }
    Ok(())
}

fn encoded(bytes: Option<&[u8]>) -> Value {
    bytes.map_or(Value::Null, |bytes| STANDARD.encode(bytes).into())
}

fn record_to_json(message: &BorrowedMessage<'_>) -> Value {
    let headers: Vec<Value> = message.headers().map_or(Vec::new(), |headers| {
        headers
            .iter()
            .map(|header| json!({ "key": header.key, "value": encoded(header.value) }))
            .collect()
    });
    json!({
        "key": encoded(message.key()), "value": encoded(message.payload()), "headers": headers,
    })
}

fn consume(bootstrap: &str, asked: &Value) -> Answer {
    let consumer = consumer(bootstrap, "not-used")?;
    let (partition, mut next) = (number(asked, "partition") as i32, number(asked, "at"));
    consumer.assign(&place(text(asked, "topic"), partition, Offset::Offset(next))?)?;
    let mut records = Vec::new();
    read(&consumer, number(asked, "count"), |message| {
        assert_eq!(message.offset(), next, "offsets without gaps");
        next += 1;
        records.push(record_to_json(message));
    })?;
    Ok(records.into())
}

async fn journey(bootstrap: &str, asked: &Value) -> Answer {
    let consumer = consumer(bootstrap, "not-used")?;
    let topic = text(asked, "topic");
    let mut all = TopicPartitionList::new();
    for partition in 0..number(asked, "partitions") {
        all.add_partition_offset(topic, partition as i32, Offset::Beginning)?;
    }
    consumer.assign(&all)?;
    let mut reads = Vec::new();
    for step in asked["steps"].as_array().expect("steps") {
        let partition = number(step, "partition") as i32;
        let seek = |offset| consumer.seek(topic, 0, offset, TIMEOUT);
        match text(step, "do") {
            "read" => {
                let mut positions = Vec::new();
                read(&consumer, number(step, "count"), |message| {
                    positions.push(json!([message.partition(), message.offset()]));
                })?;
                reads.push(positions);
            }
            "seek" => seek(Offset::Offset(number(step, "to")))?,
            "seek_beginning" => seek(Offset::Beginning)?,
            "seek_end" => {
                // The logical end is looked up later, when there is more already.
                let (_, end) = consumer.fetch_watermarks(topic, 0, TIMEOUT)?;
                seek(Offset::Offset(end))?;
            }
            "seek_time" => {
                let offset = offset_for_time(&consumer, topic, number(step, "to"))?;
                seek(Offset::Offset(offset))?;
            }
            "pause" => consumer.pause(&place(topic, partition, Offset::Invalid)?)?,
            "resume" => consumer.resume(&place(topic, partition, Offset::Invalid)?)?,
            "produce" => {
                let records = vec![json!({}); number(step, "count") as usize];
                let wanted = json!({ "topic": topic, "partition": partition, "records": records });
                produce(bootstrap, &wanted).await?;
            }
            other => panic!("no step {other}"),
        }
    }
    Ok(json!(reads))
}

fn member(bootstrap: &str, group: &str, topic: &str, assignor: &str, instance: Option<&str>) {
    let stopping = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(signal_hook::consts::SIGTERM, Arc::clone(&stopping))
        .expect("a signal handler");
    let mut config = settings(
        bootstrap,
        &[
            ("group.id", group),
            ("partition.assignment.strategy", assignor),
            ("auto.offset.reset", "earliest"),
            ("enable.auto.commit", "false"),
            ("session.timeout.ms", "6000"),
            ("heartbeat.interval.ms", "500"),
        ],
    );
    if let Some(instance) = instance {
        config.set("group.instance.id", instance);
    }
    let consumer: BaseConsumer = config.create().expect("a consumer");
    consumer.subscribe(&[topic]).expect("a subscription");
    while !stopping.load(Ordering::Relaxed) {
        let Some(Ok(message)) = consumer.poll(Duration::from_millis(200)) else {
            continue;
        };
        println!("{}", json!({ "read": [[message.partition(), message.offset()]] }));
        let committed = consumer.commit_message(&message, CommitMode::Sync);
        if let Err(error) = &committed {
            eprintln!("{error}");
        }
        println!("{}", json!({ "committed": committed.is_ok() }));
    }
}
