// @platformatic/kafka: `serve BOOTSTRAP`, or `member BOOTSTRAP GROUP TOPIC roundrobin [INSTANCE]`. See ../program.cjs.
'use strict'

const { randomUUID } = require('node:crypto')
const { Admin, Consumer, Producer, defaultPartitioner } = require('@platformatic/kafka')
const {
  Arrivals, askedToEnd, inPortions, journey, main, nothings, packedRecord, say, unpacked
} = require('../program.cjs')

const TOPIC = 2
const SET = 0
const EARLIEST = -2n
const LATEST = -1n

const settings = bootstrap => ({
  clientId: 'compat',
  bootstrapBrokers: [bootstrap],
  retries: 5,
  retryDelay: 200
})
const groupSettings = (bootstrap, groupId) => ({
  ...settings(bootstrap),
  groupId,
  sessionTimeout: 6000,
  rebalanceTimeout: 10000,
  heartbeatInterval: 500,
  maxWaitTime: 100
})

function operations (bootstrap) {
  const withAdmin = async act => {
    const admin = new Admin(settings(bootstrap))
    try {
      return await act(admin)
    } finally {
      await admin.close()
    }
  }

  const listOffset = (topic, partitionIndex, timestamp) =>
    withAdmin(async admin => {
      const topics = [{ name: topic, partitions: [{ partitionIndex, timestamp }] }]
      const [found] = await admin.listOffsets({ topics })
      return Number(found.partitions[0].offset)
    })

  const all = {
    create_topic: ({ topic, partitions, replication_factor: replicas, configs }) =>
      withAdmin(async admin => {
        const entries = Object.entries(configs).map(([name, value]) => ({ name, value }))
        await admin.createTopics({ topics: [topic], partitions, replicas, configs: entries })
      }),

    delete_topic: ({ topic }) => withAdmin(admin => admin.deleteTopics({ topics: [topic] })),

    add_partitions: ({ topic, partitions }) =>
      withAdmin(admin => admin.createPartitions({ topics: [{ name: topic, count: partitions }] })),

    topics: () =>
      withAdmin(async admin => {
        const names = await admin.listTopics()
        if (!names.length) return {}
        const { topics } = await admin.metadata({ topics: names, forceUpdate: true })
        return Object.fromEntries([...topics].map(([name, topic]) => [name, topic.partitionsCount]))
      }),

    configs: ({ topic }) =>
      withAdmin(async admin => {
        const resources = [{ resourceType: TOPIC, resourceName: topic }]
        const [found] = await admin.describeConfigs({ resources })
        return Object.fromEntries(found.configs.map(entry => [entry.name, entry.value]))
      }),

    alter_config: ({ topic, configs: wanted }) =>
      withAdmin(admin => {
        const configs = Object.entries(wanted).map(([name, value]) => ({
          name,
          configOperation: SET,
          value
        }))
        const resources = [{ resourceType: TOPIC, resourceName: topic, configs }]
        return admin.incrementalAlterConfigs({ resources })
      }),

    produce: async ({ topic, records, partition, codec, idempotent }) => {
      const producer = new Producer({ ...settings(bootstrap), autocreateTopics: true })
      const landed = []
      try {
        for (const portion of inPortions(records)) {
          const chosen = []
          const messages = portion.map(({ value, key, headers, timestamp_ms: time }) => {
            const at = partition ?? defaultPartitioner(null, unpacked(key))
            chosen.push(at)
            return {
              topic,
              value: unpacked(value),
              key: unpacked(key),
              // Buffers are not equal to each other, so a name can be there twice.
              headers: new Map(headers.map(h => [Buffer.from(h.key), unpacked(h.value)])),
              partition: at,
              ...(time === null ? {} : { timestamp: BigInt(time) })
            }
          })
          const { offsets } = await producer.send({
            messages,
            acks: -1,
            idempotent,
            ...(codec === 'none' ? {} : { compression: codec })
          })
          const { topics } = await producer.metadata({ topics: [topic] })
          const next = new Map(offsets.map(entry => [entry.partition, Number(entry.offset)]))
          for (const hash of chosen) {
            const at = hash % topics.get(topic).partitionsCount
            landed.push([at, next.get(at)])
            next.set(at, next.get(at) + 1)
          }
        }
      } finally {
        await producer.close()
      }
      return landed
    },

    consume: async ({ topic, count, partition, at }) => {
      const arrivals = new Arrivals()
      const consumer = new Consumer(groupSettings(bootstrap, `consume-${randomUUID()}`))
      try {
        const offsets = [{ topic, partition, offset: BigInt(at) }]
        const stream = await consumer.consume({ topics: [topic], mode: 'manual', offsets })
        stream.on('error', error => arrivals.fail(error))
        stream.on('data', message => {
          if (message.partition !== partition) return
          const headers = [...message.headers].map(([name, data]) => [name.toString(), data])
          arrivals.push(packedRecord(message.value, message.key, headers))
        })
        const records = await arrivals.take(count)
        return records
      } finally {
        await consumer.close(true)
      }
    },

    watermarks: async ({ topic, partition }) => [
      await listOffset(topic, partition, EARLIEST),
      await listOffset(topic, partition, LATEST)
    ],

    offset_for_time: ({ topic, timestamp_ms: timestamp }) =>
      listOffset(topic, 0, BigInt(timestamp)),

    /** It has no way to give metadata. */
    commit: async ({ group, topic, at }) => {
      const consumer = new Consumer(groupSettings(bootstrap, group))
      try {
        consumer.topics.track(topic)
        await consumer.joinGroup()
        const place = { topic, partition: 0, offset: BigInt(at), leaderEpoch: 0 }
        await consumer.commit({ offsets: [place] })
      } finally {
        await consumer.close(true)
      }
    },

    committed: ({ group, topic, list }) =>
      withAdmin(async admin => {
        const asked = { groupId: group, topics: [{ name: topic, partitionIndexes: list }] }
        const [found] = await admin.listConsumerGroupOffsets({ groups: [asked] })
        const entries = found.topics[0]?.partitions ?? []
        return list.map(number => {
          const entry = entries.find(candidate => candidate.partitionIndex === number)
          return { offset: Number(entry?.committedOffset ?? -1), metadata: entry?.metadata ?? '' }
        })
      }),

    describe_group: ({ group }) =>
      withAdmin(async admin => {
        const found = (await admin.describeGroups({ groups: [group] })).get(group)
        const members = [...found.members.values()]
        const assigned = members.flatMap(member =>
          [...(member.assignments?.values() ?? [])].flatMap(entry => entry.partitions)
        )
        const state = found.state[0] + found.state.slice(1).toLowerCase()
        return { state, members: members.length, assigned }
      }),

    list_groups: () => withAdmin(async admin => [...(await admin.listGroups()).keys()]),

    delete_group: ({ group }) => withAdmin(admin => admin.deleteGroups({ groups: [group] })),

    delete_records: ({ topic, at }) =>
      withAdmin(async admin => {
        const partitions = [{ partition: 0, offset: BigInt(at) }]
        await admin.deleteRecords({ topics: [{ name: topic, partitions }] })
      }),

    delete_offset: ({ group, topic }) =>
      withAdmin(async admin => {
        const topics = [{ name: topic, partitionIndexes: [0] }]
        await admin.deleteConsumerGroupOffsets({ groupId: group, topics })
      }),

    log_dirs: ({ topic }) =>
      withAdmin(async admin => {
        const found = await admin.describeLogDirs({ topics: [{ name: topic, partitions: [0] }] })
        return found.flatMap(broker =>
          broker.results.flatMap(dir =>
            dir.topics.flatMap(entry => entry.partitions.map(one => Number(one.partitionSize)))
          )
        )
      }),

    journey: question => journey(travel, question)
  }

  /** A seek is another stream of the same consumer; it pauses whole streams, not partitions. */
  async function travel (topic) {
    const arrivals = new Arrivals()
    const consumer = new Consumer(groupSettings(bootstrap, `travel-${randomUUID()}`))
    let stream = null
    const read = async position => {
      await stream?.close()
      stream = await consumer.consume({ topics: [topic], ...position })
      stream.on('data', message => arrivals.push([message.partition, Number(message.offset)]))
      stream.on('error', error => arrivals.fail(error))
    }
    await read({ mode: 'committed', fallbackMode: 'earliest' })
    return {
      arrivals,
      seek: async (where, to) => {
        let offset = to
        if (where === 'beginning') offset = await listOffset(topic, 0, EARLIEST)
        if (where === 'end') offset = await listOffset(topic, 0, LATEST)
        if (where === 'time') offset = await listOffset(topic, 0, BigInt(to))
        await read({ mode: 'manual', offsets: [{ topic, partition: 0, offset: BigInt(offset) }] })
      },
      produce: (partition, count) =>
        all.produce({ topic, partition, ...nothings(count) }),
      close: () => consumer.close(true)
    }
  }

  return all
}

/** What one consumer reads and commits, until `ending` or an error of its stream. */
async function follow (consumer, topic, ending) {
  let come = []
  let wake = () => {}
  let failure = null
  let over = false
  const stream = await consumer.consume({
    topics: [topic],
    mode: 'committed',
    fallbackMode: 'earliest',
    autocommit: false
  })
  stream.on('data', message => {
    come.push(message)
    wake()
  })
  stream.on('error', error => {
    failure = error
    wake()
  })
  ending.then(() => {
    over = true
    wake()
  })
  while (!over && !failure) {
    if (!come.length) {
      await new Promise(resolve => {
        wake = resolve
      })
    }
    const mine = new Set(consumer.assignments?.find(entry => entry.topic === topic)?.partitions)
    const batch = come.filter(message => mine.has(message.partition))
    come = []
    if (!batch.length) continue
    say({ read: batch.map(message => [message.partition, Number(message.offset)]) })
    const ends = new Map(batch.map(message => [message.partition, message.offset + 1n]))
    const offsets = [...ends].map(([partition, offset]) => ({ topic, partition, offset, leaderEpoch: -1 }))
    try {
      await consumer.commit({ offsets })
      say({ committed: true })
    } catch (error) {
      say({ committed: false })
      console.error('commit', error)
      return false
    }
  }
  if (failure) console.error('stream', failure)
  return over
}

async function member (bootstrap, group, topic, _assignor, instance) {
  const ending = askedToEnd()
  for (let over = false; !over;) {
    const consumer = new Consumer({
      ...groupSettings(bootstrap, group),
      ...(instance ? { groupInstanceId: instance } : {}),
      retries: 30
    })
    try {
      over = await follow(consumer, topic, ending)
    } catch (error) {
      console.error('consume', error)
    }
    await consumer.close(true).catch(error => console.error('close', error))
  }
  process.exit(0)
}

main(operations, member)
