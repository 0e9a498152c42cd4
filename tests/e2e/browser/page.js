// page.js - the two SIP libraries of the web behind one small interface, for test_browser.py.
// open_agent(library, url, user, password, domain) registers; send(name, to, text, type) sends a MESSAGE and gives the status;
// got(name) gives and forgets the MESSAGEs that have come.
import * as JsSIP from "jssip";
import * as SIP from "sip.js";

const agents = {};

class WithJsSip {
  constructor(url, user, password, domain) {
    this.messages = [];
    this.agent = new JsSIP.UA({
      sockets: [new JsSIP.WebSocketInterface(url)],
      uri: `sip:${user}@${domain}`,
      password,
      register: true,
      register_expires: 300,
    });
    this.agent.on("newMessage", ({ originator, message, request }) => {
      if (originator !== "remote") return;
      this.messages.push({ from: request.from.uri.toString(), type: request.getHeader("content-type"), text: request.body });
      message.accept();
    });
  }

  register() {
    return new Promise((done, failed) => {
      this.agent.on("registered", () => done("registered"));
      this.agent.on("registrationFailed", (e) => failed(new Error(`JsSIP: ${e.cause} ${e.response}`)));
      this.agent.on("disconnected", (e) => failed(new Error(`JsSIP: disconnected ${e.code} ${e.reason}`)));
      this.agent.start();
    });
  }

  send(to, text, contentType) {
    return new Promise((done) => {
      this.agent.sendMessage(to, text, {
        contentType,
        eventHandlers: {
          succeeded: (e) => done(e.response.status_code),
          failed: (e) => done(e.response ? e.response.status_code : e.cause),
        },
      });
    });
  }

  close() {
    return new Promise((done) => {
      this.agent.on("unregistered", () => { this.agent.stop(); done("closed"); });
      this.agent.unregister({ all: false });
    });
  }
}

class WithSipJs {
  constructor(url, user, password, domain) {
    this.messages = [];
    this.agent = new SIP.UserAgent({
      uri: SIP.UserAgent.makeURI(`sip:${user}@${domain}`),
      authorizationUsername: user,
      authorizationPassword: password,
      transportOptions: { server: url },
      logLevel: "error",
      delegate: {
        onMessage: (message) => {
          const request = message.request;
          this.messages.push({ from: request.from.uri.toString(), type: request.getHeader("content-type"), text: request.body });
          message.accept();
        },
      },
    });
    this.registerer = new SIP.Registerer(this.agent, { expires: 300 });
  }

  async register() {
    await this.agent.start();
    return this.registered(SIP.RegistererState.Registered, (options) => this.registerer.register(options));
  }

  registered(wanted, act) {
    return new Promise((done, failed) => {
      this.registerer.stateChange.addListener((state) => { if (state === wanted) done(state); });
      act({ requestDelegate: { onReject: (r) => failed(new Error(`SIP.js: ${r.message.statusCode}`)) } }).catch(failed);
    });
  }

  send(to, text, contentType) {
    return new Promise((done) => {
      const messager = new SIP.Messager(this.agent, SIP.UserAgent.makeURI(to), text, contentType);
      messager.message({
        requestDelegate: {
          onAccept: (r) => done(r.message.statusCode),
          onReject: (r) => done(r.message.statusCode),
        },
      });
    });
  }

  async close() {
    await this.registered(SIP.RegistererState.Unregistered, (options) => this.registerer.unregister(options));
    await this.agent.stop();
    return "closed";
  }
}

globalThis.open_agent = (library, url, user, password, domain) => {
  agents[user] = new (library === "jssip" ? WithJsSip : WithSipJs)(url, user, password, domain);
  return agents[user].register().catch(async (error) => {
    await agents[user].agent.stop();
    delete agents[user];
    throw error;
  });
};
globalThis.send = (user, to, text, type) => agents[user].send(to, text, type);
globalThis.got = (user) => agents[user].messages.splice(0);
globalThis.close_agent = (user) => {
  const agent = agents[user];
  delete agents[user];
  return agent ? agent.close() : "not open";
};
