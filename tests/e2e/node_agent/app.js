// An Express application for New Relic's agent: `node -r newrelic app.js`. It prints its port,
// serves /wait?ms=…&status=… and /raise, and tells under /durations what its waiting really took,
// from the request to the last byte of the answer, as the agent measures it.
'use strict'

const newrelic = require('newrelic')
const express = require('express')

const app = express()
const seconds = []

app.get('/wait', (request, response) => {
  const started = process.hrtime.bigint()
  response.on('finish', () => seconds.push(Number(process.hrtime.bigint() - started) / 1e9))
  setTimeout(() => {
    response.status(Number(request.query.status || 200)).send('done')
  }, Number(request.query.ms))
})

app.get('/raise', () => {
  throw new Error('broken')
})

app.get('/durations', (request, response) => {
  newrelic.getTransaction().ignore()
  response.json(seconds)
})

const server = app.listen(0, '127.0.0.1', () => console.log(server.address().port))

process.on('SIGTERM', () => {
  newrelic.shutdown({ collectPendingData: true, timeout: 10000 }, () => process.exit(0))
})
