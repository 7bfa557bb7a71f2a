#!/bin/sh
# Build the codec libraries of scripts/codecs.txt into PREFIX: static, position independent, every
# symbol hidden.  Extensions that link them share nothing with the copies that Pillow or OpenCV
# bring into the same process.
# usage: build_codecs.sh PREFIX [ARCHIVES]
# ARCHIVES is a folder with NAME-VERSION.tar.gz of each; what is missing there is downloaded into
# it.  Either way the SHA-256 must be the one in the table.
set -eu
[ $# = 1 ] || [ $# = 2 ] || { echo "usage: $0 PREFIX [ARCHIVES]" >&2; exit 2; }
table=$(cd "$(dirname "$0")" && pwd)/codecs.txt
mkdir -p "$1/lib" "$1/include"
prefix=$(cd "$1" && pwd)
work=$prefix/build
archives=${2:-$prefix/archives}
mkdir -p "$archives"

sha256_of() {
    if command -v sha256sum >/dev/null; then sha256sum "$1"; else shasum -a 256 "$1"; fi |
        cut -d ' ' -f 1
}

# fetch ARCHIVE URL SHA256
fetch() {
    if [ ! -e "$1" ]; then
        echo "downloading $2"
        curl --fail --silent --show-error --location --proto '=https' --retry 3 -o "$1.part" "$2"
        mv "$1.part" "$1"
    fi
    found=$(sha256_of "$1")
    [ "$found" = "$3" ] || {
        echo "build_codecs.sh: $1 has SHA-256 $found where $table says $3." >&2
        echo "Remove the file to download it again; if that does not help, do not use it." >&2
        exit 1
    }
}

# unpack ARCHIVE FOLDER, with what the headers export made hidden: -fvisibility alone does not
# reach functions that say "default" themselves.
unpack() {
    mkdir -p "$2"
    tar -xzf "$1" -C "$2" --strip-components 1
    find "$2" -name '*.h' -exec \
        sed -i.orig 's/visibility *("default")/visibility("hidden")/' {} +
}

# compile SOURCE TARGET ARCHIVE OPTION...: one library, by its own CMake files.
compile() {
    source=$1 target=$2 archive=$3
    shift 3
    cmake -S "$source" -B "$source/out" -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_FLAGS="$hide" \
        -DCMAKE_POSITION_INDEPENDENT_CODE=ON "$@" >"$source.log" 2>&1 &&
        cmake --build "$source/out" --target "$target" --parallel "${JOBS:-2}" \
            >>"$source.log" 2>&1 ||
        { tail -n 30 "$source.log" >&2; exit 1; }
    cp "$source/out/$archive" "$prefix/lib/"
}
hide='-fvisibility=hidden -g0'

rm -rf "$work" "$prefix/codecs.txt"
while read -r name version sha256 url licence; do
    case $name in '' | '#'*) continue ;; esac
    archive=$archives/$name-$version.tar.gz
    source=$work/$name
    fetch "$archive" "$url" "$sha256"
    unpack "$archive" "$source"
    echo "building $name $version ($licence)"
    case $name in
    libjpeg-turbo)
        # REQUIRE_SIMD: without nasm, x86-64 would silently get the plain C code.
        compile "$source" jpeg-static libjpeg.a -DENABLE_SHARED=0 -DWITH_TURBOJPEG=0 \
            -DREQUIRE_SIMD=1
        cp "$source"/src/jpeglib.h "$source"/src/jmorecfg.h "$source"/src/jerror.h \
            "$source"/out/jconfig.h "$prefix/include/"
        ;;
    libdeflate)
        compile "$source" libdeflate_static libdeflate.a -DLIBDEFLATE_BUILD_SHARED_LIB=OFF \
            -DLIBDEFLATE_BUILD_GZIP=OFF
        cp "$source"/libdeflate.h "$prefix/include/"
        ;;
    libwebp)
        # With its encoder, and libsharpyuv for that, which only the C tests link.
        compile "$source" webp libwebp.a -DBUILD_SHARED_LIBS=OFF
        cp "$source"/out/libsharpyuv.a "$prefix/lib/"
        mkdir -p "$prefix/include/webp"
        cp "$source"/src/webp/decode.h "$source"/src/webp/encode.h "$source"/src/webp/types.h \
            "$prefix/include/webp/"
        ;;
    *)
        echo "build_codecs.sh: no rule for $name; add one beside its line in $table" >&2
        exit 1
        ;;
    esac
done <"$table"

if [ "$(uname)" = Linux ]; then
    visible=$(readelf -sW "$prefix"/lib/*.a |
        awk '$5 == "GLOBAL" && $6 == "DEFAULT" && $7 != "UND" { print $8 }')
    [ -z "$visible" ] || { echo "build_codecs.sh: not hidden:" $visible >&2; exit 1; }
fi
rm -rf "$work"
cp "$table" "$prefix/codecs.txt" # last: its presence says that the folder is whole
echo "codecs in $prefix"
