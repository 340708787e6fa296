// kafkajs: `serve BOOTSTRAP`, or `member BOOTSTRAP GROUP TOPIC roundrobin`. See ../program.cjs.
'use strict'

const { randomUUID } = require('node:crypto')
const snappy = require('kafkajs-snappy')
const lz4 = require('lz4-napi')
const zstd = require('@bokuweb/zstd-wasm')
const { AssignerProtocol, CompressionCodecs, CompressionTypes, Kafka, Partitioners, logLevel } =
  require('kafkajs')
const {
  Arrivals, BrokerError, TIMEOUT_MS, askedToEnd, inPortions, journey, main, nothings, packedRecord, say, unpacked
} = require('../program.cjs')

CompressionCodecs[CompressionTypes.Snappy] = snappy
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: encoder => lz4.compressFrame(encoder.buffer),
  decompress: buffer => lz4.decompressFrame(buffer)
})
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: async encoder => Buffer.from(zstd.compress(encoder.buffer)),
  decompress: async buffer => Buffer.from(zstd.decompress(buffer))
})

const CODECS = {
  none: CompressionTypes.None,
  gzip: CompressionTypes.GZIP,
  snappy: CompressionTypes.Snappy,
  lz4: CompressionTypes.LZ4,
  zstd: CompressionTypes.ZSTD
}
const OFFSET_OUT_OF_RANGE = 1
const TOPIC_ALREADY_EXISTS = 36
const TOPIC = 2
const CONSUMER = { sessionTimeout: 6000, heartbeatInterval: 500, maxWaitTimeInMs: 100 }

const toHeaders = pairs => {
  const headers = {}
  for (const { key: name, value } of pairs) {
    const data = unpacked(value)
    headers[name] = name in headers ? [headers[name], data].flat() : data
  }
  return headers
}
const fromHeaders = headers =>
  Object.entries(headers).flatMap(([name, values]) => [values].flat().map(value => [name, value]))

function connection (bootstrap, { onLog = () => {}, retries = 5 } = {}) {
  return new Kafka({
    brokers: [bootstrap],
    logLevel: logLevel.WARN,
    retry: { initialRetryTime: 100, retries },
    logCreator: () => entry => {
      process.stderr.write(`${entry.log.message} ${JSON.stringify(entry.log)}\n`)
      onLog(entry.log)
    }
  })
}

function operations (bootstrap) {
  const withAdmin = async act => {
    const admin = connection(bootstrap).admin()
    await admin.connect()
    try {
      return await act(admin)
    } finally {
      await admin.disconnect()
    }
  }

  const topicOffsets = (topic, partition) =>
    withAdmin(async admin => {
      const offsets = await admin.fetchTopicOffsets(topic)
      return offsets.find(entry => entry.partition === partition)
    })

  const all = {
    create_topic: ({ topic, partitions, replication_factor: replicationFactor, configs }) =>
      withAdmin(async admin => {
        const configEntries = Object.entries(configs).map(([name, value]) => ({ name, value }))
        const wanted = { topic, numPartitions: partitions, replicationFactor, configEntries }
        const isNew = await admin.createTopics({ topics: [wanted], waitForLeaders: false })
        if (!isNew) throw new BrokerError(TOPIC_ALREADY_EXISTS, 'createTopics gave false')
        // Its own wait for leaders fails where a broker's metadata lags behind its controller.
        for (const deadline = Date.now() + TIMEOUT_MS; Date.now() < deadline;) {
          if ((await admin.listTopics()).includes(topic)) return
        }
        throw new Error(`${topic} is not listed`)
      }),

    delete_topic: ({ topic }) => withAdmin(admin => admin.deleteTopics({ topics: [topic] })),

    add_partitions: ({ topic, partitions }) =>
      withAdmin(async admin => {
        await admin.createPartitions({ topicPartitions: [{ topic, count: partitions }] })
      }),

    topics: () =>
      withAdmin(async admin => {
        const { topics } = await admin.fetchTopicMetadata()
        return Object.fromEntries(topics.map(topic => [topic.name, topic.partitions.length]))
      }),

    configs: ({ topic }) =>
      withAdmin(async admin => {
        const resources = [{ type: TOPIC, name: topic }]
        const { resources: [found] } = await admin.describeConfigs({ resources })
        return Object.fromEntries(found.configEntries.map(e => [e.configName, e.configValue]))
      }),

    alter_config: ({ topic, configs }) =>
      withAdmin(async admin => {
        const configEntries = Object.entries(configs).map(([name, value]) => ({ name, value }))
        const resource = { type: TOPIC, name: topic, configEntries }
        await admin.alterConfigs({ validateOnly: false, resources: [resource] })
      }),

    produce: async ({ topic, records, partition, codec, idempotent }) => {
      let chosen = []
      const producer = connection(bootstrap).producer({
        idempotent,
        allowAutoTopicCreation: true,
        createPartitioner: () => {
          const choose = Partitioners.DefaultPartitioner()
          return question => {
            const answer = choose(question)
            chosen.push(answer)
            return answer
          }
        },
        ...(idempotent ? { maxInFlightRequests: 1 } : {})
      })
      await producer.connect()
      const landed = []
      try {
        for (const portion of inPortions(records)) {
          const messages = portion.map(({ value, key, headers, timestamp_ms: time }) => ({
            value: unpacked(value),
            key: unpacked(key),
            headers: toHeaders(headers),
            ...(partition === null ? {} : { partition }),
            ...(time === null ? {} : { timestamp: String(time) })
          }))
          chosen = []
          const compression = CODECS[codec]
          const answers = await producer.send({ topic, messages, compression, acks: -1 })
          const next = new Map(answers.map(a => [a.partition, Number(a.baseOffset)]))
          for (const at of chosen.slice(-messages.length)) {
            landed.push([at, next.get(at)])
            next.set(at, next.get(at) + 1)
          }
        }
      } finally {
        await producer.disconnect()
      }
      return landed
    },

    consume: async ({ topic, count, partition, at }) => {
      const arrivals = new Arrivals()
      let next = at
      const consumer = connection(bootstrap, {
        onLog: log => {
          if (log.message.startsWith('Offset out of range')) {
            arrivals.fail(new BrokerError(OFFSET_OUT_OF_RANGE, log.message))
          }
        }
      }).consumer({ groupId: `consume-${randomUUID()}`, ...CONSUMER })
      await consumer.connect()
      try {
        await consumer.subscribe({ topics: [topic], fromBeginning: true })
        await consumer.run({
          autoCommit: false,
          eachBatch: async ({ batch }) => {
            if (batch.partition !== partition) return
            for (const message of batch.messages) {
              if (Number(message.offset) !== next) continue
              next += 1
              arrivals.push(packedRecord(message.value, message.key, fromHeaders(message.headers)))
            }
          }
        })
        if (at) consumer.seek({ topic, partition, offset: String(at) })
        return await arrivals.take(count)
      } finally {
        await consumer.disconnect()
      }
    },

    watermarks: async ({ topic, partition }) => {
      const found = await topicOffsets(topic, partition)
      return [Number(found.low), Number(found.high)]
    },

    offset_for_time: ({ topic, timestamp_ms: timestamp }) =>
      withAdmin(async admin => {
        // It answers with the end of the log where no record is that new.
        const offsets = await admin.fetchTopicOffsetsByTimestamp(topic, timestamp)
        const [{ high }] = await admin.fetchTopicOffsets(topic)
        const [{ offset }] = offsets
        return offset === high ? -1 : Number(offset)
      }),

    commit: async ({ group, topic, at, metadata }) => {
      const consumer = connection(bootstrap).consumer({ groupId: group, ...CONSUMER })
      await consumer.connect()
      try {
        await consumer.subscribe({ topics: [topic] })
        await consumer.run({ autoCommit: false, eachBatchAutoResolve: false, eachBatch: async () => {} })
        // It reads at once, finds the new position out of range, and commits that it has none.
        consumer.pause([{ topic }])
        const place = { topic, partition: 0, offset: String(at), metadata }
        await consumer.commitOffsets([place])
      } finally {
        await consumer.disconnect()
      }
    },

    committed: ({ group, topic, list }) =>
      withAdmin(async admin => {
        const [found] = await admin.fetchOffsets({ groupId: group, topics: [topic] })
        return list.map(number => {
          const entry = found.partitions.find(candidate => candidate.partition === number)
          return { offset: Number(entry.offset), metadata: entry.metadata ?? '' }
        })
      }),

    describe_group: ({ group }) =>
      withAdmin(async admin => {
        const { groups: [found] } = await admin.describeGroups([group])
        if (found.errorCode) throw new BrokerError(found.errorCode, 'describeGroups')
        const assigned = found.members.flatMap(member => {
          if (!member.memberAssignment.length) return []
          const { assignment } = AssignerProtocol.MemberAssignment.decode(member.memberAssignment)
          return Object.values(assignment).flat()
        })
        return { state: found.state, members: found.members.length, assigned }
      }),

    list_groups: () =>
      withAdmin(async admin => (await admin.listGroups()).groups.map(group => group.groupId)),

    delete_group: ({ group }) =>
      withAdmin(async admin => {
        await admin.deleteGroups([group])
      }),

    delete_records: ({ topic, at }) =>
      withAdmin(async admin => {
        await admin.fetchTopicOffsets(topic) // it wants to know the leader already
        const partitions = [{ partition: 0, offset: String(at) }]
        await admin.deleteTopicRecords({ topic, partitions })
      }),

    cluster: () => withAdmin(admin => admin.describeCluster()),

    journey: question => journey(travel, question)
  }

  async function travel (topic) {
    const arrivals = new Arrivals()
    const consumer = connection(bootstrap).consumer({ groupId: `travel-${randomUUID()}`, ...CONSUMER })
    await consumer.connect()
    await consumer.subscribe({ topics: [topic], fromBeginning: true })
    await consumer.run({
      autoCommit: false,
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
        if (where === 'beginning') offset = (await topicOffsets(topic, 0)).low
        if (where === 'end') offset = (await topicOffsets(topic, 0)).high
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

async function member (bootstrap, group, topic) {
  const ending = askedToEnd()
  const consumer = connection(bootstrap, { retries: 50 }).consumer({ groupId: group, ...CONSUMER })
  await consumer.connect()
  await consumer.subscribe({ topics: [topic], fromBeginning: true })
  await consumer.run({
    autoCommit: false,
    eachBatch: async ({ batch }) => {
      say({ read: batch.messages.map(message => [batch.partition, Number(message.offset)]) })
      const offset = String(Number(batch.lastOffset()) + 1)
      try {
        await consumer.commitOffsets([{ topic, partition: batch.partition, offset }])
      } catch (error) {
        say({ committed: false })
        throw error
      }
      say({ committed: true })
    }
  })
  await ending
  await consumer.disconnect()
  process.exit(0)
}

zstd.init().then(() => main(operations, member)) // once: a second time breaks it
