// @confluentinc/kafka-javascript, librdkafka under Node: `serve BOOTSTRAP`, or
// `member BOOTSTRAP GROUP TOPIC ASSIGNOR [INSTANCE]`. See ../program.cjs. Records go through the package's
// callback interface, groups and administration through its promises.
'use strict'

const { randomUUID } = require('node:crypto')
const { setTimeout: pause } = require('node:timers/promises')
const { promisify } = require('node:util')
const rdkafka = require('@confluentinc/kafka-javascript')
const {
  Arrivals, BrokerError, TIMEOUT_MS, askedToEnd, journey, main, nothings, packedRecord, say, unpacked
} = require('../program.cjs')

const { AdminClient, HighLevelProducer, KafkaConsumer, KafkaJS } = rdkafka
const OFFSET_OUT_OF_RANGE = 1
const AUTO_OFFSET_RESET = -140
const UNKNOWN_TOPIC = -188
const LOST = [22, 25, 27] // another generation, an unknown member, a rebalance
const STATES = ['Unknown', 'PreparingRebalance', 'CompletingRebalance', 'Stable', 'Dead', 'Empty']
const QUIET = { logLevel: KafkaJS.logLevel.NOTHING }

const kafka = bootstrap => new KafkaJS.Kafka({ kafkaJS: { brokers: [bootstrap], ...QUIET } })
const groupConsumer = (bootstrap, groupId, more = {}) =>
  kafka(bootstrap).consumer({
    kafkaJS: { groupId, fromBeginning: true, autoCommit: false },
    'session.timeout.ms': 6000,
    'heartbeat.interval.ms': 500,
    ...more
  })

const connected = client => promisify(client.connect.bind(client))({ timeout: TIMEOUT_MS })
const disconnected = client => new Promise(resolve => client.disconnect(resolve))

function operations (bootstrap) {
  const withAdmin = async act => {
    const admin = kafka(bootstrap).admin()
    await admin.connect()
    try {
      return await act(admin)
    } finally {
      await admin.disconnect()
    }
  }

  /** What only the callback interface has. */
  const withOldAdmin = async act => {
    const admin = AdminClient.create({ 'bootstrap.servers': bootstrap })
    try {
      return await act(admin)
    } finally {
      admin.disconnect()
    }
  }

  const withConsumer = async (groupId, act) => {
    const consumer = new KafkaConsumer(
      {
        'bootstrap.servers': bootstrap,
        'group.id': groupId,
        'enable.auto.commit': false,
        'fetch.wait.max.ms': 100
      },
      { 'auto.offset.reset': 'error' }
    )
    await connected(consumer)
    try {
      return await act(consumer)
    } finally {
      await disconnected(consumer)
    }
  }

  const produce = async ({ topic, records, partition, codec, idempotent }) => {
    const producer = new HighLevelProducer({
      'bootstrap.servers': bootstrap,
      acks: -1,
      'compression.type': codec,
      'enable.idempotence': idempotent,
      'message.max.bytes': 8 << 20,
      'linger.ms': 5,
      dr_cb: true
    })
    await connected(producer)
    const landed = new Array(records.length)
    let missing = records.length
    try {
      await new Promise((resolve, reject) => {
        producer.setPollInterval(5)
        producer.on('delivery-report', (error, report) => {
          if (error) return reject(error)
          landed[report.opaque] = [report.partition, report.offset]
          if (--missing === 0) resolve()
        })
        const send = rdkafka.Producer.prototype.produce.bind(producer)
        for (const [number, record] of records.entries()) {
          const [value, key] = [unpacked(record.value), unpacked(record.key)]
          const headers = record.headers.map(header => ({ [header.key]: unpacked(header.value) }))
          send(topic, partition ?? -1, value, key, record.timestamp_ms, number, headers)
        }
      })
    } finally {
      await disconnected(producer)
    }
    return landed
  }

  const all = {
    create_topic: ({ topic, partitions, replication_factor: replicas, configs }) =>
      withOldAdmin(admin =>
        promisify(admin.createTopic.bind(admin))(
          {
            topic,
            num_partitions: partitions,
            replication_factor: replicas,
            config: configs
          },
          TIMEOUT_MS
        )
      ),

    delete_topic: ({ topic }) =>
      withOldAdmin(admin => promisify(admin.deleteTopic.bind(admin))(topic, TIMEOUT_MS)),

    add_partitions: ({ topic, partitions }) =>
      withOldAdmin(admin => promisify(admin.createPartitions.bind(admin))(topic, partitions, TIMEOUT_MS)),

    topics: () =>
      withAdmin(async admin => {
        const found = await admin.fetchTopicMetadata({ topics: await admin.listTopics() })
        return Object.fromEntries(found.map(topic => [topic.name, topic.partitions.length]))
      }),

    produce: request => produce(request).catch(error => {
      // librdkafka may hear of the topic before it takes the record: then it says only that there is
      // none. Another producer tells the broker's reason.
      if (error.code !== UNKNOWN_TOPIC) throw error
      return produce(request)
    }),

    consume: ({ topic, count, partition, at }) =>
      withConsumer('not-used', async consumer => {
        const records = []
        const consume = promisify(consumer.consume.bind(consumer))
        const deadline = Date.now() + TIMEOUT_MS
        let failure = null
        consumer.on('event.error', error => {
          failure = error
        })
        consumer.setDefaultConsumeTimeout(100)
        consumer.assign([{ topic, partition, offset: at }])
        while (records.length < count) {
          if (Date.now() > deadline) throw new Error(`${records.length} of ${count} records`)
          const messages = await consume(count - records.length).catch(error => {
            failure = error
            return []
          })
          if (failure?.code === AUTO_OFFSET_RESET) {
            throw new BrokerError(OFFSET_OUT_OF_RANGE, failure.message)
          }
          if (failure) throw failure
          for (const message of messages) {
            const headers = (message.headers ?? []).flatMap(Object.entries)
            records.push(packedRecord(message.value, message.key, headers))
          }
        }
        return records
      }),

    watermarks: ({ topic, partition }) =>
      withAdmin(async admin => {
        const offsets = await admin.fetchTopicOffsets(topic)
        const found = offsets.find(entry => entry.partition === partition)
        return [Number(found.low), Number(found.high)]
      }),

    offset_for_time: ({ topic, timestamp_ms: timestamp }) =>
      withConsumer('not-used', async consumer => {
        const asked = [{ topic, partition: 0, offset: timestamp }]
        const [{ offset }] = await promisify(consumer.offsetsForTimes.bind(consumer))(asked, TIMEOUT_MS)
        return offset
      }),

    commit: ({ group, topic, at, metadata }) =>
      withConsumer(group, async consumer => {
        consumer.commitSync([{ topic, partition: 0, offset: at, metadata }])
      }),

    /** By a consumer: the promises' fetchOffsets ends the process where the broker refuses. */
    committed: ({ group, topic, list }) =>
      withConsumer(group, async consumer => {
        const asked = list.map(partition => ({ topic, partition }))
        const found = await promisify(consumer.committed.bind(consumer))(asked, TIMEOUT_MS)
        return list.map(number => {
          const entry = found.find(candidate => candidate.partition === number)
          return { offset: entry.offset ?? -1, metadata: entry.metadata ?? '' }
        })
      }),

    describe_group: ({ group }) =>
      withAdmin(async admin => {
        const { groups: [found] } = await admin.describeGroups([group])
        if (found.error) throw found.error
        const assigned = found.members.flatMap(member =>
          (member.assignment?.topicPartitions ?? []).map(place => place.partition)
        )
        return { state: STATES[found.state], members: found.members.length, assigned }
      }),

    list_groups: () =>
      withAdmin(async admin => (await admin.listGroups()).groups.map(group => group.groupId)),

    delete_group: ({ group }) =>
      withAdmin(async admin => {
        await admin.deleteGroups([group])
      }),

    delete_records: ({ topic, at }) =>
      withAdmin(async admin => {
        const partitions = [{ partition: 0, offset: String(at) }]
        await admin.deleteTopicRecords({ topic, partitions })
      }),

    journey: question => journey(travel, question)
  }

  async function travel (topic) {
    const arrivals = new Arrivals()
    const consumer = groupConsumer(bootstrap, `travel-${randomUUID()}`)
    await consumer.connect()
    await consumer.subscribe({ topics: [topic] })
    await consumer.run({
      eachMessage: async ({ partition, message }) => {
        arrivals.push([partition, Number(message.offset)])
      }
    })
    return {
      arrivals,
      pause: partition => consumer.pause([{ topic, partitions: [partition] }]),
      resume: partition => consumer.resume([{ topic, partitions: [partition] }]),
      seek: async (where, to) => {
        let offset = to
        if (where === 'beginning') [offset] = await all.watermarks({ topic, partition: 0 })
        if (where === 'end') [, offset] = await all.watermarks({ topic, partition: 0 })
        if (where === 'time') offset = await all.offset_for_time({ topic, timestamp_ms: to })
        consumer.seek({ topic, partition: 0, offset: String(offset) })
      },
      produce: (partition, count) =>
        all.produce({ topic, partition, ...nothings(count) }),
      close: () => consumer.disconnect()
    }
  }

  return all
}

async function member (bootstrap, group, topic, assignor, instance) {
  const ending = askedToEnd()
  const consumer = groupConsumer(bootstrap, group, {
    'partition.assignment.strategy': assignor,
    ...(instance ? { 'group.instance.id': instance } : {})
  })
  await consumer.connect()
  await consumer.subscribe({ topics: [topic] })
  await consumer.run({
    eachBatch: async ({ batch }) => {
      say({ read: batch.messages.map(message => [batch.partition, Number(message.offset)]) })
      const offset = String(Number(batch.lastOffset()) + 1)
      for (const deadline = Date.now() + TIMEOUT_MS; ; await pause(50)) {
        try {
          await consumer.commitOffsets([{ topic, partition: batch.partition, offset }])
          break
        } catch (error) {
          // While the broker is away it does not ask again by itself.
          if (LOST.includes(error.code) || Date.now() > deadline) {
            say({ committed: false })
            throw error
          }
        }
      }
      // It hands out what it had fetched of a partition that another member has by now.
      const isMine = consumer.assignment().some(place => place.partition === batch.partition)
      say({ committed: isMine })
    }
  })
  await ending
  await consumer.disconnect()
  process.exit(0)
}

main(operations, member)
