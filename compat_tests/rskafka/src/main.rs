//! rskafka for the shared suite; see compat_tests/programs.py for what is asked and answered.
//!
//! The library has no groups, no settings of topics and no partitioner.

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use rskafka::client::error::{Error, ProtocolError};
use rskafka::client::partition::{Compression, OffsetAt, PartitionClient, UnknownTopicHandling};
use rskafka::client::{Client, ClientBuilder};
use rskafka::record::{Record, RecordAndOffset};
use serde_json::{Value, json};

const TIMEOUT_MS: i32 = 30_000;
const MAX_FETCH_BYTES: i32 = 8 << 20;
const HIGHEST_CODE: i16 = 200;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let asked: Value = serde_json::from_reader(std::io::stdin()).expect("arguments in JSON");
    let client =
        ClientBuilder::new(vec![arguments[1].clone()]).build().await.expect("a connection");
    match answer(&client, &arguments[2], &asked).await {
        Ok(result) => println!("{}", json!({ "result": result })),
        Err(Error::ServerError { protocol_error, error_message, .. }) => {
            let text = error_message.unwrap_or_default();
            println!("{}", json!({ "error": { "code": code(protocol_error), "text": text } }));
        }
        Err(other) => {
            eprintln!("{other}");
            std::process::exit(1);
        }
    }
}

/// The library names errors and keeps their numbers to itself.
fn code(error: ProtocolError) -> i16 {
    (-1..HIGHEST_CODE)
        .find(|number| ProtocolError::new(*number) == Some(error))
        .unwrap_or(HIGHEST_CODE)
}

async fn answer(client: &Client, operation: &str, asked: &Value) -> Result<Value, Error> {
    match operation {
        "create_topic" => {
            let partitions = number(asked, "partitions") as i32;
            let replicas = number(asked, "replication_factor") as i16;
            let controller = client.controller_client()?;
            controller.create_topic(topic(asked), partitions, replicas, TIMEOUT_MS).await?;
            Ok(Value::Null)
        }
        "delete_topic" => {
            client.controller_client()?.delete_topic(topic(asked), TIMEOUT_MS).await?;
            Ok(Value::Null)
        }
        "topics" => {
            let listed = client.list_topics().await?;
            Ok(listed.iter().map(|topic| (topic.name.clone(), topic.partitions.len())).collect())
        }
        "produce" => produce(&partition(client, asked).await?, asked).await,
        "consume" => consume(&partition(client, asked).await?, asked).await,
        "watermarks" => {
            let partition = partition(client, asked).await?;
            let first = partition.get_offset(OffsetAt::Earliest).await?;
            Ok(json!([first, partition.get_offset(OffsetAt::Latest).await?]))
        }
        "offset_for_time" => {
            let time = at(asked["timestamp_ms"].as_i64());
            Ok(json!(partition(client, asked).await?.get_offset(OffsetAt::Timestamp(time)).await?))
        }
        "delete_records" => {
            let partition = partition(client, asked).await?;
            partition.delete_records(number(asked, "at"), TIMEOUT_MS).await?;
            Ok(Value::Null)
        }
        "journey" => journey(&partition(client, asked).await?, asked).await,
        _ => panic!("rskafka has no {operation}"),
    }
}

fn number(asked: &Value, name: &str) -> i64 {
    asked[name].as_i64().unwrap_or(0)
}

fn topic(asked: &Value) -> &str {
    asked["topic"].as_str().expect("a topic")
}

async fn partition(client: &Client, asked: &Value) -> Result<PartitionClient, Error> {
    let index = number(asked, "partition") as i32;
    client.partition_client(topic(asked), index, UnknownTopicHandling::Error).await
}

fn at(timestamp_ms: Option<i64>) -> DateTime<Utc> {
    timestamp_ms.map_or_else(Utc::now, |ms| DateTime::from_timestamp_millis(ms).expect("a time"))
}

fn bytes(text: &Value) -> Option<Vec<u8>> {
    text.as_str().map(|text| STANDARD.decode(text).expect("base64"))
}

fn text(bytes: Option<&Vec<u8>>) -> Value {
    bytes.map_or(Value::Null, |bytes| STANDARD.encode(bytes).into())
}

fn record(fields: &Value) -> Record {
    let headers = fields["headers"].as_array().into_iter().flatten();
    Record {
        key: bytes(&fields["key"]),
        value: bytes(&fields["value"]),
        headers: headers
            .map(|header| {
                let key = header["key"].as_str().expect("a header's key");
                (key.to_owned(), bytes(&header["value"]).expect("a header's value"))
            })
            .collect(),
        timestamp: at(fields["timestamp_ms"].as_i64()),
    }
}

fn record_to_json(record: &Record) -> Value {
    let headers: Vec<Value> = record
        .headers
        .iter()
        .map(|(key, value)| json!({ "key": key, "value": STANDARD.encode(value) }))
        .collect();
    json!({
        "key": text(record.key.as_ref()),
        "value": text(record.value.as_ref()),
        "headers": headers,
    })
}

async fn produce(partition: &PartitionClient, asked: &Value) -> Result<Value, Error> {
    let compression = match asked["codec"].as_str() {
        Some("gzip") => Compression::Gzip,
        Some("lz4") => Compression::Lz4,
        Some("snappy") => Compression::Snappy,
        Some("zstd") => Compression::Zstd,
        _ => Compression::NoCompression,
    };
    let records: Vec<Record> =
        asked["records"].as_array().into_iter().flatten().map(record).collect();
    let mut positions = Vec::new();
    for batch in records.chunks(500) {
        for offset in partition.produce(batch.to_vec(), compression).await? {
            positions.push(json!([partition.partition(), offset]));
        }
    }
    Ok(positions.into())
}

/// Exactly `count` records from `offset`: the library's answers begin at the offset asked for.
async fn read(
    partition: &PartitionClient,
    mut offset: i64,
    count: usize,
) -> Result<Vec<RecordAndOffset>, Error> {
    let mut records = Vec::new();
    while records.len() < count {
        let (fetched, _) = partition.fetch_records(offset, 1..MAX_FETCH_BYTES, 500).await?;
        for record in fetched {
            assert_eq!(record.offset, offset, "offsets without gaps");
            offset += 1;
            records.push(record);
        }
    }
    records.truncate(count);
    Ok(records)
}

async fn consume(partition: &PartitionClient, asked: &Value) -> Result<Value, Error> {
    let records = read(partition, number(asked, "at"), number(asked, "count") as usize).await?;
    Ok(records.iter().map(|record| record_to_json(&record.record)).collect())
}

async fn journey(partition: &PartitionClient, asked: &Value) -> Result<Value, Error> {
    let mut position = 0;
    let mut reads = Vec::new();
    for step in asked["steps"].as_array().expect("steps") {
        match step["do"].as_str().expect("what to do") {
            "read" => {
                let count = number(step, "count") as usize;
                let records = read(partition, position, count).await?;
                position += records.len() as i64;
                let offsets = records.iter().map(|record| json!([0, record.offset]));
                reads.push(offsets.collect::<Value>());
            }
            "seek" => position = number(step, "to"),
            "seek_beginning" => position = partition.get_offset(OffsetAt::Earliest).await?,
            "seek_end" => position = partition.get_offset(OffsetAt::Latest).await?,
            "seek_time" => {
                let time = OffsetAt::Timestamp(at(step["to"].as_i64()));
                position = partition.get_offset(time).await?;
            }
            "produce" => {
                let records = vec![record(&json!({})); number(step, "count") as usize];
                partition.produce(records, Compression::NoCompression).await?;
            }
            other => panic!("rskafka cannot {other}"),
        }
    }
    Ok(reads.into())
}
