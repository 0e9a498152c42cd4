// tests/relay/driver.h - two connections through a Service as cheaply as a loop would: no maps, no strings in the loop.
#pragma once

#include <string>
#include <string_view>

#include "tests/relay/harness.h"

namespace parley::testing {

inline std::string text_between(const std::string& text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  if (at == std::string::npos) return {};
  const std::size_t start = at + from.size();
  return text.substr(start, text.find(to, start) - start);
}

// AUTH with SHA-256 as bob; returns the URI handed out. `ask` sends a frame and returns what comes back.
template <class Ask>
std::string authenticate_bob(const Ask& ask, const std::string& own, const std::string& to) {
  const std::string head = "To-Path: " + to + "\r\nFrom-Path: " + own + "\r\n";
  const std::string nonce = text_between(ask("MSRP aut1 AUTH\r\n" + head + "-------aut1$\r\n"), "nonce=\"", "\"");
  core::Digest digest;
  const auto ha1 = digest.ha1(core::DigestAlgorithm::sha256, "bob", "example.com", "secret");
  const auto response = digest.response(core::DigestAlgorithm::sha256, {ha1.view(), nonce, "00000001", "cafe", "auth", "AUTH", to});
  return text_between(ask("MSRP aut2 AUTH\r\n" + head + "Authorization: Digest username=\"bob\", realm=\"example.com\", nonce=\"" +
                          nonce + "\", qop=auth, nc=00000001, cnonce=\"cafe\", algorithm=SHA-256, response=\"" +
                          std::string(response.view()) + "\"\r\n-------aut2$\r\n"),
                      "Use-Path: ", "\r\n");
}

inline std::string authenticate_bob(Harness& relay, core::ConnId conn, const std::string& own) {
  const auto ask = [&](const std::string& frame) {
    relay.send(conn, frame);
    return relay.take(conn);
  };
  return authenticate_bob(ask, own, "msrp://127.0.0.1:2855;tcp");
}

// A caller without AUTH (a) sends bursts of SENDs to bob (b), whose 200s come back in one read.
class BurstDriver {
 public:
  BurstDriver(std::size_t body_bytes, int batch) : a_(relay_.open()), b_(relay_.open()) {
    use_b_ = authenticate_bob(relay_, b_, b_uri_);
    for (int i = 0; i < batch; ++i) {
      const std::string tid = "tid" + std::to_string(100000 + i);
      const std::string size = std::to_string(body_bytes);
      burst_ += "MSRP " + tid + " SEND\r\nTo-Path: " + use_b_ + " " + b_uri_ + "\r\nFrom-Path: " + a_uri_ + "\r\nMessage-ID: m" +
                std::to_string(100000 + i) + "\r\nByte-Range: 1-" + size + "/" + size + "\r\nContent-Type: text/plain\r\n\r\n" +
                std::string(body_bytes, 'x') + "\r\n-------" + tid + "$\r\n";
    }
    answers_.reserve(static_cast<std::size_t>(batch) * 300 + 1000);
    answer_tail_ = " 200 OK\r\nTo-Path: " + use_b_ + "\r\nFrom-Path: " + b_uri_ + "\r\n-------";
  }

  // The whole burst through the relay, in reads of at most `read_bytes`, and its answers back.
  void run(std::size_t read_bytes = core::Pool::large_bytes) {
    for (std::string_view left = burst_; !left.empty(); left.remove_prefix(std::min(left.size(), read_bytes))) {
      deliver(a_, left.substr(0, read_bytes));
    }
    deliver(b_, answers_);
    answers_.clear();
  }
  [[nodiscard]] std::uint64_t delivered() const { return delivered_; }
  [[nodiscard]] Harness& relay() { return relay_; }

 private:
  void deliver(core::ConnId conn, std::string_view bytes) {
    core::Pool& pool = relay_.pool;
    const core::BufferId buffer = pool.take(core::BlockClass::large);
    std::copy(bytes.begin(), bytes.end(), pool.data(buffer));
    core::Input input;
    input.kind = core::Input::Kind::bytes;
    input.conn = conn;
    input.slice = {buffer, 0, static_cast<std::uint32_t>(bytes.size())};
    relay_.service.step({&input, 1}, relay_.now, relay_.out);
    pool.release(buffer);
    std::size_t count[2] = {0, 0};
    for (const core::Output& output : relay_.out.outputs()) {
      if (output.kind != core::Output::Kind::send) continue;
      const std::string_view view = pool.view(output.slice);
      count[output.conn == a_ ? 0 : 1] += view.size();
      if (output.conn == b_) answer(view);
      pool.release(output.slice.buffer);
    }
    relay_.out.clear();
    core::Input sent[2];
    std::size_t n = 0;
    for (int i = 0; i < 2; ++i) {
      if (count[i] == 0) continue;
      sent[n].kind = core::Input::Kind::sent;
      sent[n].conn = i == 0 ? a_ : b_;
      sent[n++].count = count[i];
    }
    relay_.service.step({sent, n}, relay_.now, relay_.out);
    relay_.out.clear();
  }

  void answer(std::string_view view) {
    for (std::size_t at = 0; (at = view.find(" SEND\r\n", at)) != std::string_view::npos; ++at) {
      const std::string_view tid = view.substr(at - 24, 24);
      answers_.append("MSRP ").append(tid).append(answer_tail_).append(tid).append("$\r\n");
      ++delivered_;
    }
  }

  Harness relay_;
  core::ConnId a_;
  core::ConnId b_;
  std::string a_uri_ = "msrp://127.0.0.1:40001/a0123456789;tcp";
  std::string b_uri_ = "msrp://127.0.0.1:40002/b0123456789;tcp";
  std::string use_b_;
  std::string burst_;
  std::string answers_;
  std::string answer_tail_;
  std::uint64_t delivered_ = 0;
};

}  // namespace parley::testing
