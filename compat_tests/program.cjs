// What the programs of the Node clients share: questions are JSON lines on standard input, answers
// JSON lines on standard output (compat_tests/remote.py asks them). NODE_PATH finds the client.
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
    if (typeof code === 'number') return code
  }
  for (const inner of [error.cause, ...(error.errors ?? [])]) {
    const code = codeOf(inner, depth + 1)
    if (code !== null) return code
  }
  return null
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

/** `serve BOOTSTRAP` or `member BOOTSTRAP GROUP TOPIC [OPTION]`. */
function main (operations, member) {
  const [command, bootstrap, ...names] = process.argv.slice(2)
  const done = command === 'member' ? member(bootstrap, ...names) : serve(operations(bootstrap))
  done.catch(error => {
    console.error(error)
    process.exit(1)
  })
}

/** Resolves when the process is asked to end. */
const askedToEnd = () => new Promise(resolve => process.once('SIGTERM', resolve))

/** The same, for a few at once: a client that sends all in one batch would make it too large. */
function * inPortions (records, bytes = 256 * 1024) {
  let portion = []
  let size = 0
  for (const record of records) {
    const weight = (record[0]?.length ?? 0) + (record[1]?.length ?? 0)
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
  main,
  packed,
  say,
  unpacked
}
