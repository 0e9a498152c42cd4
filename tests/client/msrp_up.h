// tests/client/msrp_up.h - a session of the client's that is up.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "tests/client/msrp_world.h"

namespace parley::tests {

using namespace client;
using Kind = MsrpFact::Kind;

inline constexpr const char* peer_path = "msrp://192.0.2.9:3000/their;tcp";

inline MsrpIntake text() { return {.types = {"text/plain", "message/cpim"}, .bytes_max = 0, .pieces = false}; }

// A session that we connected, bound and up.
struct Up : MsrpWorld {
  explicit Up(MsrpConfig config = {}, MsrpIntake intake = text()) : MsrpWorld(std::move(config)) {
    step([&] {
      EXPECT_TRUE(client().open(1, false, std::move(intake)));
      client().connect(1, {.path = peer_path, .we_connect = true, .address = {}, .port = 0});
    });
    conn = connected();
    bind = written(conn);
    bytes(conn, respond(bind));
    EXPECT_EQ(fact(Kind::up).session, 1U);
    EXPECT_EQ(fact(Kind::ready).session, 1U);
  }
  std::uint64_t say(const std::string& body, bool report = false,
                    msrp::FailureReport failure = msrp::FailureReport::yes) {
    std::uint64_t number = 0;
    step([&] {
      number = client().send(1, {.headers = {},
                                 .content_type = "text/plain",
                                 .body = std::make_shared<TextSource>(body),
                                 .success_report = report,
                                 .failure = failure});
    });
    return number;
  }
  std::string uri() { return std::string(client().uri(1)); }
  std::string send(const std::string& tid, const std::string& lines, const std::string& body, char flag = '$') {
    return "MSRP " + tid + " SEND\r\nTo-Path: " + uri() + "\r\nFrom-Path: " + peer_path + "\r\n" + lines +
           "Content-Type: text/plain\r\n\r\n" + body + "\r\n-------" + tid + flag + "\r\n";
  }
  core::ConnId conn;
  std::string bind;
};

}  // namespace parley::tests
