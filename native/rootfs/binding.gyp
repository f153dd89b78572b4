{
  "variables": { "asan%": "0" },
  "targets": [
    {
      "target_name": "rootfs",
      "sources": [
        "native/capabilities.cc",
        "native/directory-listing.cc",
        "native/directory-names.cc",
        "native/entry-content.cc",
        "native/entry-look.cc",
        "native/entry-stat.cc",
        "native/event-batch.cc",
        "native/fanotify-watcher.cc",
        "native/hash-many.cc",
        "native/kernel.cc",
        "native/many-paths.cc",
        "native/muted-names.cc",
        "native/open-by-parts.cc",
        "native/path-claims.cc",
        "native/read-deadline.cc",
        "native/read-files.cc",
        "native/root.cc",
        "native/shared-work.cc",
        "native/sha256.cc",
        "native/sift-directory.cc",
        "native/sift-heads.cc",
        "native/sift.cc",
        "native/sip-hash.cc",
        "native/survey-records.cc",
        "native/survey.cc",
        "native/thread-pool.cc",
        "native/thread-priority.cc",
        "native/walk-record.cc",
        "native/walker.cc",
        "native/watch-table.cc",
        "native/napi/addon.cc",
        "native/napi/claims-object.cc",
        "native/napi/convert.cc",
        "native/napi/pool-task.cc",
        "native/napi/reads-object.cc",
        "native/napi/root-object.cc",
        "native/napi/sift-object.cc",
        "native/napi/survey-object.cc",
        "native/napi/walker-object.cc",
        "native/napi/watch-object.cc"
      ],
      "include_dirs": ["<!(node -p \"require('node-addon-api').include_dir\")"],
      # swallow: a thread that is being ended takes no exception any more, and one that nobody takes ends the process
      "defines": [
        "NAPI_VERSION=8",
        "NODE_ADDON_API_CPP_EXCEPTIONS_ALL",
        "NODE_ADDON_API_DISABLE_DEPRECATED",
        "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS"
      ],
      "cflags!": ["-fno-exceptions"],
      "cflags_cc!": ["-fno-exceptions", "-fno-rtti", "-std=gnu++20", "-std=gnu++17"],
      "cflags": [
        "-Wall",
        "-Wextra",
        "-Werror",
        "-fvisibility=hidden",
        "-fstack-protector-strong",
        "-U_FORTIFY_SOURCE",
        "-D_FORTIFY_SOURCE=2"
      ],
      "cflags_cc": ["-std=c++17", "-fvisibility-inlines-hidden"],
      # nodelete: pool threads may still run our code when a worker thread's environment lets go of it
      "ldflags": ["-Wl,-z,now", "-Wl,-z,relro", "-Wl,-z,noexecstack", "-Wl,-z,nodelete"],
      "conditions": [
        ["asan==1", {
          "cflags!": ["-D_FORTIFY_SOURCE=2"],
          "cflags": ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer", "-g", "-O1"],
          "ldflags": ["-fsanitize=address,undefined"]
        }]
      ]
    }
  ]
}
