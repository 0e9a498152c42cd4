// tools/parley/http_xcap.cc - see http_xcap.h.
#include "tools/parley/http_xcap.h"

#include <httplib.h>
#include <pthread.h>

#include <algorithm>
#include <utility>

namespace parley::client {

namespace {

// Deletions go one after the other, and somebody waits for each.
constexpr time_t connect_seconds = 3;
constexpr time_t read_seconds = 12;

}  // namespace

bool split_xcap_root(const std::string& root, std::string& server, std::string& path) {
  const std::size_t host = root.starts_with("http://") ? 7 : root.starts_with("https://") ? 8 : std::string::npos;
  if (host == std::string::npos) return false;
  const std::size_t slash = std::min(root.find('/', host), root.size());
  if (slash == host) return false;
  server = root.substr(0, slash);
  path = root.substr(slash);
  while (path.ends_with("/")) path.pop_back();
  return true;
}

HttpXcap::HttpXcap(const HttpXcapConfig& config, Answer answer) : answer_(std::move(answer)) {
  std::string server;
  if (!split_xcap_root(config.root, server, path_)) return;
  http_ = std::make_unique<httplib::Client>(server);
  http_->set_connection_timeout(connect_seconds);
  http_->set_read_timeout(read_seconds);
  http_->set_url_encode(false);  // paths are, and Digest has to sign what is sent
  http_->set_digest_auth(config.user, config.password);
  if (!config.tls_ca.empty()) http_->set_ca_cert_path(config.tls_ca);
  http_->enable_server_certificate_verification(true);
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "xcap");
    run();
  });
}

HttpXcap::~HttpXcap() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
  }
  changed_.notify_one();
  http_->stop();
  thread_.join();
}

void HttpXcap::erase(std::uint32_t ticket, std::string path) {
  {
    const std::lock_guard lock(mutex_);
    wishes_.push_back({ticket, std::move(path)});
  }
  changed_.notify_one();
}

void HttpXcap::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return over_ || !wishes_.empty(); });
    if (over_) return;
    const Wish wish = std::move(wishes_.front());
    wishes_.pop_front();
    lock.unlock();
    const httplib::Result result = http_->Delete((path_ + wish.path).c_str());
    answer_(wish.ticket, static_cast<std::uint16_t>(result ? result->status : 0));
    lock.lock();
  }
}

}  // namespace parley::client
