// What the programs of the Node clients share: questions are JSON lines on standard input, answers
// JSON lines on standard output (compat_tests/programs.py asks them). NODE_PATH finds the client.
'use strict'

const readline = require('node:readline')

const TIMEOUT_MS = 30_000

class BrokerError extends Error {
  constructor (code, text) {
    super(text)
    this.code = code
  }
}

const packed = data => (data === null || data === undefined ? null : Buffer.from(data).toString('base64'))
const unpacked = text => (text === null ? null : Buffer.from(text, 'base64'))
const packedRecord = (value, key, headers) => ({
  value: packed(value),
  key: packed(key),
  headers: headers.map(([name, data]) => ({ key: name, value: packed(data) }))
})

/** What came and was not taken yet; `take` waits for it. */
class Arrivals {
  constructor () {
    this.items = []
    this.failure = null
    this.waiting = null
  }

  push (...items) {
    this.items.push(...items)
    this.waiting?.()
  }

  fail (error) {
    this.failure ??= error
    this.waiting?.()
  }

  async take (count) {
    const deadline = Date.now() + TIMEOUT_MS
    while (this.items.length < count) {
      if (this.failure) throw this.failure
      const left = deadline - Date.now()
      if (left <= 0) throw new Error(`${this.items.length} of ${count} records in ${TIMEOUT_MS} ms`)
      await new Promise(resolve => {
        const timer = setTimeout(resolve, left)
        this.waiting = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
    return this.items.splice(0, count)
  }
}

/** The broker's error code that an error of the client carries somewhere inside, or null. */
function codeOf (error, depth = 0) {
  if (!error || depth > 5) return null
  for (const code of [error.apiCode, error.code]) {
    if (typeof code === 'number' && code > 0) return code // below: the client's own
  }
  // The calls for several groups or partitions at once say of each what became of it.
  const each = [...(error.groups ?? []), ...(error.partitions ?? [])].map(one => one.error)
  for (const inner of [error.cause, ...(error.errors ?? []), ...each]) {
    const code = codeOf(inner, depth + 1)
    if (code !== null) return code
  }
  return null
}

/** One consumer from the beginning, going through the steps of a test; client.py tells which. */
async function journey (travel, { topic, steps }) {
  const traveller = await travel(topic)
  const reads = []
  try {
    for (const { do: what, count, to, partition } of steps) {
      if (what === 'read') reads.push(await traveller.arrivals.take(count))
      else if (what === 'produce') await traveller.produce(partition, count)
      else if (what.startsWith('seek')) await traveller.seek(what.slice(5) || to, to)
      else await traveller[what](partition)
    }
  } finally {
    await traveller.close()
  }
  return reads
}

async function serve (operations) {
  for await (const line of readline.createInterface({ input: process.stdin, crlfDelay: Infinity })) {
    const { op, ...question } = JSON.parse(line)
    let answer
    try {
      answer = { result: (await operations[op](question)) ?? null }
    } catch (error) {
      answer = { error: { code: codeOf(error), text: String(error?.stack ?? error) } }
    }
    process.stdout.write(JSON.stringify(answer) + '\n')
  }
  process.exit(0)
}

const say = event => process.stdout.write(JSON.stringify(event) + '\n')

/** `serve BOOTSTRAP` or `member BOOTSTRAP GROUP TOPIC ASSIGNOR [INSTANCE]`. */
function main (operations, member) {
  const [command, bootstrap, ...names] = process.argv.slice(2)
  const done = command === 'member' ? member(bootstrap, ...names) : serve(operations(bootstrap))
  done.catch(error => {
    console.error(error)
    process.exit(1)
  })
}

/** What a journey's producer sends. */
const nothings = count => ({
  records: new Array(count).fill({ value: '', key: null, headers: [], timestamp_ms: null }),
  codec: 'none',
  idempotent: false
})

/** Resolves when the process is asked to end. */
const askedToEnd = () => new Promise(resolve => process.once('SIGTERM', resolve))

/** The same, for a few at once: a client that sends all in one batch would make it too large. */
function * inPortions (records, bytes = 256 * 1024) {
  let portion = []
  let size = 0
  for (const record of records) {
    const weight = (record.value?.length ?? 0) + (record.key?.length ?? 0)
    if (portion.length && size + weight > bytes) {
      yield portion
      portion = []
      size = 0
    }
    portion.push(record)
    size += weight
  }
  if (portion.length) yield portion
}

module.exports = {
  Arrivals,
  BrokerError,
  TIMEOUT_MS,
  askedToEnd,
  inPortions,
  journey,
  main,
  nothings,
  packedRecord,
  say,
  unpacked
}
