"""One real server of plant control on 127.0.0.1: peers.py NAME PORT. Says `up` on its standard output."""
import asyncio
import sys
import threading


def enip(port):
    from cpppo.server.enip.main import main
    print("up", flush=True)
    main(argv=["-a", "127.0.0.1:%d" % port, "HINOMI=INT[1]"])


async def bacnet(port):
    from bacpypes3.app import Application
    from bacpypes3.local.device import DeviceObject
    from bacpypes3.local.networkport import NetworkPortObject
    # Under the instance that stands for any device: this version compares it with text and finds no device under it.
    device = DeviceObject(
        objectIdentifier=("device", 4194303), objectName="yagura", vendorName="Hinomi", vendorIdentifier=999,
        modelName="Lookout 7", firmwareRevision="1.2.3", applicationSoftwareVersion="4.5")
    port = NetworkPortObject(
        "127.0.0.1/32:%d" % port, objectIdentifier=("network-port", 1), objectName="NetworkPort-1")
    application = Application.from_object_list([device, port])
    print("up", flush=True)
    await asyncio.Event().wait()
    return application


def s7(port):
    import snap7
    server = snap7.server.Server()
    server.start_to("127.0.0.1", tcpport=port)
    print("up", flush=True)
    threading.Event().wait()


async def opcua(port):
    from asyncua import Server
    server = Server()
    await server.init()
    server.set_endpoint("opc.tcp://127.0.0.1:%d/hinomi/" % port)
    server.set_server_name("yagura")
    async with server:
        print("up", flush=True)
        await asyncio.Event().wait()


def iec104(port):
    import c104
    server = c104.Server(ip="127.0.0.1", port=port)
    server.add_station(common_address=47)
    server.start()
    print("up", flush=True)
    threading.Event().wait()


async def dnp3(port):
    from dnp3_outstation import AsyncOutstation
    outstation = AsyncOutstation(host="127.0.0.1", port=port, master_addr=1, outstation_addr=10)
    outstation.set_analog(idx=0, value=1.0)
    await outstation.start()
    print("up", flush=True)
    await asyncio.Event().wait()


server = globals()[sys.argv[1]]
number = int(sys.argv[2])
asyncio.run(server(number)) if asyncio.iscoroutinefunction(server) else server(number)
