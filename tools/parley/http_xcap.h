// tools/parley/http_xcap.h - XcapClient by HTTP: one request after the other, on a thread of its own.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "tools/parley/xcap_client.h"

namespace httplib {
class Client;
}

namespace parley::client {

struct HttpXcapConfig {
  std::string root{};  // "https://xcap.example.org/xcap-root"
  std::string user{};
  std::string password{};
  std::string tls_ca{};  // PEM; empty: the system's
};

// "https://HOST[:PORT]" and "/PATH" of it. False: it is no http or https URL.
[[nodiscard]] bool split_xcap_root(const std::string& root, std::string& server, std::string& path);

class HttpXcap final : public XcapClient {
 public:
  // On its thread. `status` 0: no answer.
  using Answer = std::function<void(std::uint32_t ticket, std::uint16_t status)>;
  HttpXcap(const HttpXcapConfig& config, Answer answer);
  // Gives up what is under way.
  ~HttpXcap() override;
  HttpXcap(const HttpXcap&) = delete;
  HttpXcap& operator=(const HttpXcap&) = delete;

  void erase(std::uint32_t ticket, std::string path) override;

 private:
  struct Wish {
    std::uint32_t ticket = 0;
    std::string path{};
  };
  void run();

  Answer answer_;
  std::string path_;
  std::unique_ptr<httplib::Client> http_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Wish> wishes_;
  bool over_ = false;
  std::thread thread_;
};

}  // namespace parley::client
