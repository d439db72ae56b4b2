-- `awsync package`: the zip that Lambda takes.
local elf = require "spec.support.elf"
local shell = require "spec.support.shell"
local zip = require "spec.support.zip"

local key = ("0f"):rep(32)
local quote = shell.quote

describe("awsync package", function()
  local folder, remove

  before_each(function()
    folder, remove = shell.folder()
    shell.write(folder .. "/app.lua", "function main() return 1 end\n")
    shell.write(folder .. "/runtime", elf.make())
  end)
  after_each(function() remove() end)

  local function package(words, environment)
    return shell.run(("cd %s && env -u AWSYNC_KEY %s %s package %s --bootstrap runtime"):format(quote(folder),
      environment or "", quote(shell.awsync), words))
  end

  local function directory(name)
    return zip.directory(shell.read(folder .. "/" .. (name or "function.zip")))
  end

  local function refused(reason, words, environment)
    local out, err, status = package(words or "app.lua", environment)
    assert.equal(1, status, err)
    assert.equal("", out)
    assert.truthy(err:find(reason, 1, true), err)
    assert.falsy(os.rename(folder .. "/function.zip", folder .. "/function.zip"), "there is a zip")
    return err
  end

  it("holds runtime, modules, lua-cjson, program and key, as Lambda's user can read them", function()
    local _, err, status = package("app.lua", "AWSYNC_KEY=" .. key)
    assert.equal(0, status, err)
    assert.truthy(err:find("handler app.main", 1, true), err)
    local entries, names = directory()
    local mode = { bootstrap = 0x1ed, ["lib/cjson.so"] = 0x1ed, ["awsync.key"] = 0x124 } -- 0755, 0755, 0444
    for _, name in ipairs { "bootstrap", "lua/awsync.lua", "lib/cjson.so", "app.lua", "awsync.key" } do
      assert.truthy(entries[name], name)
      assert.equal(mode[name] or 0x1a4, entries[name].mode, name)
      assert.truthy(entries[name].unix)
    end
    assert.equal(zip.crc(elf.make()), entries.bootstrap.crc)
    assert.equal(zip.crc(key), entries["awsync.key"].crc)
    assert.is_nil(entries["lua/awsync/testing.lua"])
    local sorted = table.move(names, 1, #names, 1, {})
    table.sort(sorted)
    assert.same(sorted, names)
  end)

  it("gives the same bytes for the same input, whenever and wherever", function()
    package("app.lua --output one.zip", "AWSYNC_KEY=" .. key)
    os.execute(("touch -d 2001-02-03 %s/app.lua"):format(folder))
    package("app.lua --output two.zip", "TZ=Asia/Tokyo AWSYNC_KEY=" .. key)
    assert.equal(shell.read(folder .. "/one.zip"), shell.read(folder .. "/two.zip"))
    package("app.lua --output three.zip", "AWSYNC_KEY=" .. ("1f"):rep(32))
    assert.not_equal(shell.read(folder .. "/one.zip"), shell.read(folder .. "/three.zip"))
  end)

  it("makes a key beside the program once, for its owner alone, and never shows it", function()
    local out, err = package "app.lua"
    local made = shell.read(folder .. "/awsync.key")
    assert.truthy(made:find("^" .. ("%x"):rep(64) .. "\n$"), made)
    assert.equal("600\n600\n", (shell.run(("stat -c %%a %s/awsync.key %s/function.zip"):format(folder, folder))))
    assert.falsy((out .. err):find(made:sub(1, 16), 1, true))
    package "app.lua --output again.zip"
    assert.equal(made, shell.read(folder .. "/awsync.key"))
    assert.equal(zip.crc(made), directory("again.zip")["awsync.key"].crc)
  end)

  it("refuses what is no key", function()
    local err = refused("AWSYNC_KEY is no key", "app.lua", "AWSYNC_KEY=secretive")
    assert.falsy(err:find("secretive", 1, true))
    shell.write(folder .. "/awsync.key", ("0f"):rep(31))
    refused("/awsync.key is no key")
  end)

  it("takes further files and folders below the program's folder, but nothing hidden and no key", function()
    os.execute(("mkdir -p %s/views/deep %s/.git"):format(folder, folder))
    for _, name in ipairs { "views/a.html", "views/deep/b.html", "views/.swp", ".git/config", "data.json" } do
      shell.write(folder .. "/" .. name, name)
    end
    local _, err, status = package "app.lua views data.json views/a.html"
    assert.equal(0, status, err)
    local entries = directory()
    for _, name in ipairs { "views/a.html", "views/deep/b.html", "data.json" } do
      assert.equal(zip.crc(name), entries[name].crc)
    end
    assert.is_nil(entries["views/.swp"])
    package("app.lua . --output all.zip")
    package("app.lua . --output all.zip") -- which is there now, and must not go into itself
    entries = directory "all.zip"
    assert.truthy(entries["views/deep/b.html"])
    assert.is_nil(entries[".git/config"])
    assert.is_nil(entries["all.zip"])
    assert.equal(0x124, entries["awsync.key"].mode)
  end)

  it("refuses files from elsewhere, and the runtime's name", function()
    refused("lies outside of the program's folder", "app.lua /etc/hostname")
    refused("missing.txt: No such file", "app.lua missing.txt")
    shell.write(folder .. "/bootstrap", "mine")
    refused("a file named bootstrap", "app.lua bootstrap")
  end)

  it("refuses another architecture, by the ELF header", function()
    refused("runtime is for x86_64, not for arm64", "app.lua --arch arm64")
    shell.write(folder .. "/runtime", elf.make { machine = elf.ARM64 })
    refused("runtime is for arm64, not for x86_64", "app.lua --arch x86_64")
    shell.write(folder .. "/runtime", elf.make { machine = 243 }) -- RISC-V
    refused "runtime is for another architecture"
    shell.write(folder .. "/runtime", elf.make { class = 1 })
    refused "runtime is for another architecture"
    shell.write(folder .. "/runtime", "#!/bin/sh\n")
    refused "runtime is no ELF file"
  end)

  it("refuses C libraries for another architecture than the runtime's", function()
    os.execute("mkdir " .. folder .. "/lib")
    shell.write(folder .. "/lib/thing.so", elf.make { machine = elf.ARM64 })
    refused("lib/thing.so is for arm64, not for x86_64", "app.lua lib")
  end)

  it("takes the architecture of the runtime, with the program's own lua-cjson where this machine has none", function()
    os.execute("mkdir " .. folder .. "/lib")
    shell.write(folder .. "/runtime", elf.make { machine = elf.ARM64 })
    shell.write(folder .. "/lib/cjson.so", elf.make { machine = elf.ARM64, needed = {} })
    local _, err, status = package "app.lua lib --arch arm64"
    assert.equal(0, status, err)
    assert.truthy(err:find("arm64", 1, true))
  end)

  it("refuses libraries and a glibc that provided.al2023 has not", function()
    for reason, options in pairs {
      ["runtime needs libcurl.so.4, which provided.al2023 has not"] = { needed = { "libc.so.6", "libcurl.so.4" } },
      ["runtime needs GLIBC_2.35; provided.al2023 has 2.34"] = { versions = { "GLIBC_2.9", "GLIBC_2.35" } },
      ["runtime needs GLIBC_3.1"] = { versions = { "GLIBC_3.1" } },
      ["runtime needs GLIBC_PRIVATE"] = { versions = { "GLIBC_2.2.5", "GLIBC_PRIVATE" } },
    } do
      shell.write(folder .. "/runtime", elf.make(options))
      refused(reason)
    end
  end)

  it("lets a C library need another one in lib/", function()
    os.execute("mkdir " .. folder .. "/lib")
    shell.write(folder .. "/lib/thing.so", elf.make { needed = { "libother.so.1" } })
    refused("lib/thing.so needs libother.so.1", "app.lua lib")
    shell.write(folder .. "/lib/libother.so.1", elf.make())
    local _, err, status = package "app.lua lib"
    assert.equal(0, status, err)
  end)

  it("refuses damaged files of every length without harm", function()
    local whole = elf.make { needed = { "libc.so.6", "libm.so.6" } }
    for length = 0, #whole - 1, 41 do
      shell.write(folder .. "/runtime", whole:sub(1, length))
      local _, err, status = package "app.lua"
      assert.equal(1, status, length)
      assert.truthy(err:find("ELF file", 1, true), err)
    end
    for place = 17, 176, 7 do
      shell.write(folder .. "/runtime", whole:sub(1, place - 1) .. "\xff\xff\xff\xff" .. whole:sub(place + 4))
      local _, _, status = package "app.lua"
      assert.truthy(status == 0 or status == 1, place)
    end
  end)

  it("refuses what is too big zipped, and what is too big unpacked", function()
    -- Random bytes cannot be packed; a file of holes packs to nothing.
    os.execute(("head -c 53000000 /dev/urandom > %s/noise"):format(folder))
    refused("Lambda takes 52428800 directly", "app.lua noise")
    os.remove(folder .. "/noise")
    os.execute(("truncate -s 200M %s/holes; truncate -s 60M %s/more"):format(folder, folder))
    refused("over 262144000 bytes unpacked", "app.lua holes more")
    os.execute(("truncate -s 300M %s/holes"):format(folder))
    refused("is over Lambda's limit of 262144000 bytes", "app.lua holes")
  end)

  it("refuses a name that Lambda takes for no handler", function()
    shell.write(folder .. "/my app.lua", "function main() end")
    refused("no handler of that name", "'my app.lua'")
  end)

  it("leaves the zip before as it is when there can be no new one", function()
    shell.write(folder .. "/old.zip", "precious")
    local _, _, status = package "app.lua missing --output old.zip"
    assert.equal(1, status)
    assert.equal("precious", shell.read(folder .. "/old.zip"))
    local _, err
    _, err, status = package "app.lua --output nowhere/at/all.zip"
    assert.equal(1, status)
    assert.truthy(err:find("nowhere/at/all.zip: No such file", 1, true), err)
    assert.equal("", (shell.run(("ls %s | grep 'zip\\.'"):format(folder))))
  end)

  it("explains itself, and refuses wrong usage with status 2", function()
    local out, _, status = shell.run_awsync("package", "--help")
    assert.equal(0, status)
    assert.truthy(out:find("usage: awsync package", 1, true))
    for words, reason in pairs {
      ["app.lua --arch mips"] = "--arch is x86_64 or arm64",
      ["app.lua --memory 3"] = "package has no option --memory",
      ["app.lua --output"] = "--output needs a value",
    } do
      local stdout, err
      stdout, err, status = shell.run(shell.awsync .. " package " .. words)
      assert.equal(2, status, words)
      assert.equal("", stdout)
      assert.truthy(err:find(reason, 1, true), err)
    end
  end)
end)
