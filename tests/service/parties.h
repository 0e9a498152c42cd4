// tests/service/parties.h - phones that take part in sessions of a focus: Phone with descriptions of MSRP, and bodies of
// several parts.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tests/service/phones.h"

namespace parley::tests {

// Settings by which a user's messages wait for him while he is away, or do not.
std::string offline_settings(bool active);

std::shared_ptr<policy::SipConfig> focus_config();

// Messages wait for who is away.
std::shared_ptr<policy::SipConfig> deferring_config();

std::string path_of(const std::string& message);

// What a client says of its MSRP session.
std::string msrp_sdp(const std::string& name, const std::string& more = "a=setup:actpass\r\n",
                     const std::string& types = "message/cpim");

std::string resource_list(const std::vector<std::string>& users, const std::string& copy = "cp:copyControl=\"to\"");

std::string mixed(const std::string& sdp, const std::string& list);
std::string part(const std::string& headers, const std::string& body);
// A text, and to whom it goes.
std::string listed(const std::vector<std::string>& users, const std::string& text = "hello all",
                   const std::string& copy = "cp:copyControl=\"to\"");
inline const std::string mixed_type = "multipart/mixed;boundary=b1";
inline const std::string im_lines =
    "Accept-Contact: *;+g.oma.sip-im\r\nUser-Agent: IM-client/OMA1.0 test\r\nSupported: timer\r\n"
    "Session-Expires: 1800;refresher=uac\r\nAllow: INVITE, ACK, CANCEL, BYE, UPDATE, MESSAGE, REFER, NOTIFY, "
    "OPTIONS\r\n";

// alice, bob, carol and dave, all registered.
struct Party : testing::Test {
  void make(const std::shared_ptr<policy::SipConfig>& config, std::uint32_t shards = 1);
  void SetUp() override;
  std::unique_ptr<Phone> phone(const std::string& user, int number, std::uint32_t shard);

  // 0: he goes.
  void registers(Phone& who, int seconds);
  void leave(Phone& who) { registers(who, 0); }
  void come(Phone& who) { registers(who, 3600); }

  // To the factory, with a list.
  void begin(Phone& by, const std::vector<std::string>& others, const std::string& lines = {});
  // He takes the INVITE that has come to him; what it was.
  std::string join(Phone& who, int status = 200);
  // alice begins, the others join.
  std::string gather(const std::vector<Phone*>& others);
  void leaves(Phone& who);
  // The BYE that ends his dialog.
  std::string ended(Phone& who);
  // Nothing is left over once every timer has run out.
  void at_rest();
  std::unique_ptr<Line> line;
  std::unique_ptr<Phone> alice, bob, carol, dave;
  int registrations = 0;  // sent by registers()
};

}  // namespace parley::tests
