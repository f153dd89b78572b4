{
  "variables": { "asan%": 0 },
  "targets": [
    {
      "target_name": "tpm2_tss",
      "sources": [
        "cc/addon/addon.cc",
        "cc/addon/args.cc",
        "cc/addon/commands.cc",
        "cc/addon/values.cc",
        "cc/addon/worker.cc",
        "cc/tss/attest.cc",
        "cc/tss/context.cc",
        "cc/tss/guarded-tcti.cc",
        "cc/tss/information.cc",
        "cc/tss/keys.cc",
        "cc/tss/nv.cc",
        "cc/tss/self-test.cc",
        "cc/tss/session.cc"
      ],
      "defines": ["NAPI_VERSION=8"],
      "cflags": ["<!@(pkg-config --cflags tss2-esys tss2-mu tss2-tctildr tss2-rc)"],
      "cflags_cc": [
        "-std=gnu++20",
        "-fvisibility=hidden",
        "-fvisibility-inlines-hidden",
        "-fstack-protector-strong",
        "-Wall",
        "-Wextra",
        "-Werror"
      ],
      "ldflags": ["-Wl,-z,relro,-z,now,-z,noexecstack", "-Wl,-z,nodelete", "-Wl,--as-needed"],
      "libraries": ["<!@(pkg-config --libs tss2-esys tss2-mu tss2-tctildr tss2-rc)"],
      "conditions": [
        [
          "asan==1",
          {
            "cflags_cc": [
              "-fsanitize=address,undefined",
              "-fno-sanitize=vptr",
              "-fno-sanitize-recover=all",
              "-fno-omit-frame-pointer",
              "-g",
              "-O1"
            ],
            "ldflags": ["-fsanitize=address,undefined"]
          },
          { "defines": ["_FORTIFY_SOURCE=2"] }
        ]
      ]
    }
  ]
}
